"""Every act of the house by its name."""

from collections.abc import Mapping

from policy.acts import Act
from services.acts.adding import ADD_APPROVER
from services.acts.correcting import CORRECT
from services.acts.delegating import DELEGATE, END_DELEGATION
from services.acts.extending import EXTEND
from services.acts.parts import Kind
from services.acts.removing import REMOVE_APPROVER
from services.acts.signing import RECORD
from services.acts.taking_over import TAKE_OVER
from services.acts.transfer import TRANSFER
from services.acts.urging import URGE
from services.acts.withdrawing import WITHDRAW

KINDS: Mapping[Act, Kind] = {
    Act.TRANSFER: TRANSFER,
    Act.TAKE_OVER: TAKE_OVER,
    Act.URGE: URGE,
    Act.WITHDRAW: WITHDRAW,
    Act.CORRECT: CORRECT,
    Act.EXTEND: EXTEND,
    Act.ADD_APPROVER: ADD_APPROVER,
    Act.REMOVE_APPROVER: REMOVE_APPROVER,
    Act.DELEGATE: DELEGATE,
    Act.END_DELEGATION: END_DELEGATION,
    Act.RECORD: RECORD,
}
