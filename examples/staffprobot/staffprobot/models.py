"""The tables at head, as SQLAlchemy declarative models."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Enum,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    Text,
    Time,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID
from sqlalchemy.orm import declarative_base

Base = declarative_base()

NOW = text("now()")
TRUE = text("true")
FALSE = text("false")


def created_at():
    return Column(DateTime(timezone=True), server_default=NOW, nullable=False)


class User(Base):
    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("telegram_id"), {"comment": "Владельцы, управляющие и сотрудники"})

    id = Column(Integer, primary_key=True)
    telegram_id = Column(BigInteger, nullable=False)
    username = Column(String(100))
    first_name = Column(String(100), nullable=False)
    last_name = Column(String(100))
    phone = Column(String(20))
    email = Column(String(255), index=True)
    role = Column(String(20), server_default="employee", nullable=False)
    timezone = Column(String(50), server_default="Europe/Moscow", nullable=False)
    birth_date = Column(Date)
    settings = Column(JSONB, server_default=text("'{}'::jsonb"), nullable=False)
    is_active = Column(Boolean, server_default=TRUE, nullable=False)
    created_at = created_at()
    updated_at = Column(DateTime(timezone=True))


class OrgStructureUnit(Base):
    __tablename__ = "org_structure_units"

    id = Column(Integer, primary_key=True)
    owner_id = Column(Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True)
    parent_id = Column(Integer, ForeignKey("org_structure_units.id", ondelete="CASCADE"), index=True)
    name = Column(String(200), nullable=False)
    description = Column(Text)
    level = Column(SmallInteger, server_default=text("0"), nullable=False)
    created_at = created_at()
    telegram_report_chat_id = Column(String(100), index=True)


class Object(Base):
    __tablename__ = "objects"

    id = Column(Integer, primary_key=True)
    owner_id = Column(Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True)
    name = Column(String(255), nullable=False)
    address = Column(Text)
    coordinates = Column(String(100), nullable=False)
    timezone = Column(String(50), server_default="Europe/Moscow", nullable=False)
    opening_time = Column(Time, nullable=False)
    closing_time = Column(Time, nullable=False)
    hourly_rate = Column(Numeric(10, 2), nullable=False)
    max_distance_m = Column(Integer, server_default=text("500"), nullable=False)
    shift_tasks = Column(JSONB)
    is_active = Column(Boolean, server_default=TRUE, nullable=False)
    created_at = created_at()
    org_unit_id = Column(Integer, ForeignKey("org_structure_units.id", ondelete="SET NULL"), index=True)
    telegram_report_chat_id = Column(String(100), index=True)
    inherit_telegram_chat = Column(Boolean, server_default=TRUE, nullable=False)


class ContractTemplate(Base):
    __tablename__ = "contract_templates"

    id = Column(Integer, primary_key=True)
    owner_id = Column(Integer, ForeignKey("users.id", ondelete="SET NULL"), index=True)
    name = Column(String(255), nullable=False)
    content = Column(Text, nullable=False)
    version = Column(String(20), server_default="1.0", nullable=False)
    fields_schema = Column(JSONB)
    created_at = created_at()


class Contract(Base):
    __tablename__ = "contracts"
    __table_args__ = (
        UniqueConstraint("contract_number"),
        CheckConstraint("end_date IS NULL OR end_date >= start_date", name="ck_contracts_dates"),
        Index("ix_contracts_active_employee", "employee_id", postgresql_where=text("is_active")),
    )

    id = Column(Integer, primary_key=True)
    contract_number = Column(String(50), nullable=False)
    owner_id = Column(Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True)
    employee_id = Column(Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True)
    template_id = Column(Integer, ForeignKey("contract_templates.id", ondelete="SET NULL"))
    title = Column(String(255), nullable=False)
    content = Column(Text)
    hourly_rate = Column(Numeric(10, 2), comment="Ставка в рублях; NULL: ставка объекта")
    start_date = Column(Date, nullable=False)
    end_date = Column(Date)
    status = Column(Enum("draft", "active", "suspended", "terminated", name="contract_status"), server_default="active", nullable=False)
    allowed_objects = Column(JSONB)
    is_active = Column(Boolean, server_default=TRUE, nullable=False)
    signed_at = Column(DateTime(timezone=True))
    created_at = created_at()
    payment_system_id = Column(Integer, ForeignKey("payment_systems.id", ondelete="SET NULL"))


class TimeSlot(Base):
    __tablename__ = "time_slots"
    __table_args__ = (Index("ix_time_slots_object_date", "object_id", "slot_date"),)

    id = Column(Integer, primary_key=True)
    object_id = Column(Integer, ForeignKey("objects.id", ondelete="CASCADE"), nullable=False)
    slot_date = Column(Date, nullable=False)
    start_time = Column(Time, nullable=False)
    end_time = Column(Time, nullable=False)
    hourly_rate = Column(Numeric(10, 2))
    max_employees = Column(Integer, server_default=text("1"), nullable=False)
    description = Column(Text)
    is_active = Column(Boolean, server_default=TRUE, nullable=False)
    created_at = created_at()
    penalize_late_start = Column(Boolean, server_default=TRUE, nullable=False)
    ignore_object_tasks = Column(Boolean, server_default=FALSE, nullable=False)
    shift_tasks = Column(JSONB)


class ShiftSchedule(Base):
    __tablename__ = "shift_schedules"

    id = Column(Integer, primary_key=True)
    user_id = Column(Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True)
    object_id = Column(Integer, ForeignKey("objects.id", ondelete="CASCADE"), nullable=False, index=True)
    time_slot_id = Column(Integer, ForeignKey("time_slots.id", ondelete="SET NULL"))
    planned_start = Column(DateTime(timezone=True), nullable=False)
    planned_end = Column(DateTime(timezone=True), nullable=False)
    status = Column(String(20), server_default="planned", nullable=False)
    # Written by the old scheduler, in the server's local time.
    notified_at = Column(DateTime(timezone=False))


class Shift(Base):
    __tablename__ = "shifts"

    id = Column(Integer, primary_key=True)
    user_id = Column(Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True)
    object_id = Column(Integer, ForeignKey("objects.id", ondelete="CASCADE"), nullable=False, index=True)
    time_slot_id = Column(Integer, ForeignKey("time_slots.id", ondelete="SET NULL"))
    start_time = Column(DateTime(timezone=True), nullable=False, index=True)
    end_time = Column(DateTime(timezone=True))
    status = Column(String(20), server_default="active", nullable=False)
    start_coordinates = Column(String(100))
    end_coordinates = Column(String(100))
    distance_m = Column(Float(53))
    total_hours = Column(Numeric(5, 2))
    hourly_rate = Column(Numeric(10, 2))
    total_payment = Column(Numeric(12, 2))
    notes = Column(Text)
    created_at = created_at()
    planned_start = Column(DateTime(timezone=True), index=True)
    actual_start = Column(DateTime(timezone=True), index=True)


class TimeslotTaskTemplate(Base):
    __tablename__ = "timeslot_task_templates"

    id = Column(Integer, primary_key=True)
    time_slot_id = Column(Integer, ForeignKey("time_slots.id", ondelete="CASCADE"), nullable=False, index=True)
    task_text = Column(Text, nullable=False)
    is_mandatory = Column(Boolean, server_default=TRUE, nullable=False)
    deduction_amount = Column(Numeric(10, 2))
    display_order = Column(Integer, server_default=text("0"), nullable=False)
    created_at = created_at()
    requires_media = Column(Boolean, server_default=FALSE, nullable=False)
    media_types = Column(Text, server_default="photo,video")


class TaskCompletion(Base):
    __tablename__ = "task_completions"

    shift_id = Column(Integer, ForeignKey("shifts.id", ondelete="CASCADE"), primary_key=True)
    position = Column(SmallInteger, primary_key=True, autoincrement=False)
    task_text = Column(Text, nullable=False)
    is_done = Column(Boolean, server_default=FALSE, nullable=False)
    done_at = Column(DateTime(timezone=True))


class ObjectOpening(Base):
    __tablename__ = "object_openings"

    id = Column(Integer, primary_key=True)
    object_id = Column(Integer, ForeignKey("objects.id", ondelete="CASCADE"), nullable=False, index=True)
    opened_by = Column(Integer, ForeignKey("users.id", ondelete="SET NULL"), nullable=False, index=True)
    opened_at = Column(DateTime(timezone=True), nullable=False, index=True)
    open_coordinates = Column(String(100))
    closed_by = Column(Integer, ForeignKey("users.id", ondelete="SET NULL"), index=True)
    closed_at = Column(DateTime(timezone=True), index=True)
    close_coordinates = Column(String(100))


class PaymentSystem(Base):
    __tablename__ = "payment_systems"

    id = Column(Integer, primary_key=True)
    code = Column(String(50), unique=True, nullable=False)
    name = Column(String(200), nullable=False)
    settings = Column(JSONB)


class PaymentSchedule(Base):
    __tablename__ = "payment_schedules"

    id = Column(Integer, primary_key=True)
    owner_id = Column(Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True)
    frequency = Column(String(20), nullable=False)
    payment_day = Column(SmallInteger, nullable=False)
    is_active = Column(Boolean, server_default=TRUE, nullable=False)


class PayrollEntry(Base):
    __tablename__ = "payroll_entries"
    __table_args__ = (
        UniqueConstraint("contract_id", "period_start", name="uq_payroll_entries_contract_period"),
        CheckConstraint("hours_worked >= 0", name="ck_payroll_entries_hours"),
    )

    id = Column(Integer, primary_key=True)
    employee_id = Column(Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True)
    contract_id = Column(Integer, ForeignKey("contracts.id", ondelete="CASCADE"), nullable=False)
    period_start = Column(Date, nullable=False)
    period_end = Column(Date, nullable=False)
    hours_worked = Column(Numeric(7, 2), nullable=False)
    gross_amount = Column(Numeric(12, 2), nullable=False)
    net_amount = Column(Numeric(12, 2), nullable=False)
    calculation = Column(JSONB)
    created_at = created_at()
    approval_status = Column(String(20), server_default="draft", nullable=False, index=True)
    approved_by_id = Column(Integer, ForeignKey("users.id", ondelete="SET NULL"))
    approved_at = Column(DateTime(timezone=True))


class PayrollAdjustment(Base):
    __tablename__ = "payroll_adjustments"

    id = Column(Integer, primary_key=True)
    payroll_entry_id = Column(Integer, ForeignKey("payroll_entries.id", ondelete="CASCADE"), nullable=False, index=True)
    shift_id = Column(Integer, ForeignKey("shifts.id", ondelete="SET NULL"), index=True)
    kind = Column(String(30), nullable=False)
    amount = Column(Numeric(12, 2), nullable=False)
    description = Column(Text)
    created_at = created_at()


class EmployeePayment(Base):
    __tablename__ = "employee_payments"

    id = Column(Integer, primary_key=True)
    payroll_entry_id = Column(Integer, ForeignKey("payroll_entries.id", ondelete="RESTRICT"), nullable=False, index=True)
    amount = Column(Numeric(12, 2), nullable=False)
    paid_at = Column(DateTime(timezone=True), nullable=False)
    method = Column(String(30), nullable=False)
    details = Column(JSONB)


class Review(Base):
    __tablename__ = "reviews"
    __table_args__ = (CheckConstraint("rating BETWEEN 1 AND 5", name="ck_reviews_rating"),)

    id = Column(Integer, primary_key=True)
    reviewer_id = Column(Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True)
    object_id = Column(Integer, ForeignKey("objects.id", ondelete="CASCADE"), index=True)
    rating = Column(SmallInteger, nullable=False)
    title = Column(String(200), nullable=False)
    content = Column(Text)
    tags = Column(ARRAY(String(50)))
    is_anonymous = Column(Boolean, server_default=FALSE, nullable=False)
    created_at = created_at()


class Incident(Base):
    __tablename__ = "incidents"

    id = Column(Integer, primary_key=True)
    object_id = Column(Integer, ForeignKey("objects.id", ondelete="CASCADE"), nullable=False, index=True)
    employee_id = Column(Integer, ForeignKey("users.id", ondelete="SET NULL"))
    shift_id = Column(Integer, ForeignKey("shifts.id", ondelete="SET NULL"))
    category = Column(String(50), nullable=False)
    description = Column(Text)
    damage_amount = Column(Numeric(12, 2))
    happened_at = Column(DateTime(timezone=True), nullable=False)


class MediaFile(Base):
    __tablename__ = "media_files"

    id = Column(UUID(as_uuid=True), primary_key=True)
    review_id = Column(Integer, ForeignKey("reviews.id", ondelete="CASCADE"), index=True)
    incident_id = Column(Integer, ForeignKey("incidents.id", ondelete="CASCADE"), index=True)
    telegram_file_id = Column(String(255), nullable=False)
    mime_type = Column(String(100), nullable=False)
    size_bytes = Column(BigInteger, nullable=False)
    preview = Column(LargeBinary)


class Notification(Base):
    __tablename__ = "notifications"
    __table_args__ = (
        Index("ix_notifications_data", "data", postgresql_using="gin"),
        Index("ix_notifications_unread", "user_id", postgresql_where=text("read_at IS NULL")),
    )

    id = Column(BigInteger, primary_key=True)
    user_id = Column(Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True)
    kind = Column(String(50), nullable=False)
    title = Column(String(200), nullable=False)
    message = Column(Text)
    data = Column(JSONB)
    created_at = created_at()
    read_at = Column(DateTime(timezone=True))
    channel = Column(String(20), server_default="telegram", nullable=False)


class NotificationPreference(Base):
    __tablename__ = "notification_preferences"

    user_id = Column(Integer, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    enabled = Column(Boolean, server_default=TRUE, nullable=False)
    quiet_from = Column(Time)
    quiet_to = Column(Time)


class SystemSetting(Base):
    __tablename__ = "system_settings"

    key = Column(String(100), primary_key=True)
    value = Column(JSONB, nullable=False)
    description = Column(Text)


class AuditLog(Base):
    __tablename__ = "audit_log"

    id = Column(BigInteger, Identity(), primary_key=True)
    user_id = Column(Integer, ForeignKey("users.id", ondelete="SET NULL"), index=True)
    action = Column(String(100), nullable=False)
    entity = Column(String(100))
    entity_id = Column(BigInteger)
    details = Column(JSONB)
    created_at = created_at()
