"""A staff scheduling service: the sample application of the rehearsal."""

# Where the production database stands: seven revisions before head.
PRODUCTION_REVISION = "1f6d83b2c5a9"
HEAD_REVISION = "3bcf125fefbd"
