"""What was signed on paper and then recorded (线下签批登记): the file that shows it, its day."""

from datetime import date

from sqlmodel import Field

from models.base import Key, Row


class SignedPaper(Row, table=True):
    """A decision that was made on paper: the decision is its signer's, the act its recorder's."""

    __tablename__ = "signed_paper"
    decision_id: int = Field(foreign_key="decision.id", sa_type=Key, unique=True)
    act_id: int = Field(foreign_key="act.id", sa_type=Key, unique=True)
    """Who recorded it (代录), by which post and when."""
    file_id: int = Field(foreign_key="evidence_file.id", sa_type=Key, index=True)
    name: str
    signed_on: date
    """The day that stands on the paper; whether it was late is judged by it."""
