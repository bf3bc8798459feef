"""Signs of life of our processes, and of the gateways that we call (MON-2)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Integer, func
from sqlalchemy.orm import Mapped, mapped_column

from domain.monitoring import ProcessKind
from models.base import Base, Keyed, StrEnumColumn, checked


class ProcessHeartbeat(Keyed, Base):
    """A process of ours that says again and again that it lives; ended in order it says so, killed it is silent.

    ``run`` tells one life of a process from the next one of the same name.
    """

    __tablename__ = "process_heartbeats"
    __table_args__ = (checked("kind", ProcessKind),)

    run: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    kind: Mapped[ProcessKind] = mapped_column(StrEnumColumn(ProcessKind))
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]


class GatewayCheck(Keyed, Base):
    """Whether a gateway answered when it was last asked."""

    __tablename__ = "gateway_checks"

    gateway: Mapped[str] = mapped_column(unique=True)
    reachable: Mapped[bool]
    latency_ms: Mapped[int] = mapped_column(Integer)
    error: Mapped[str | None]
    checked_at: Mapped[datetime]
