"""Errors a person can read. The class docstring's first line is the default Chinese message."""

from typing import Any


class DutiesError(Exception):
    """操作未完成，请稍后重试。"""

    status = 400
    code = "error"

    def __init__(self, message: str = "", **details: Any) -> None:
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        self.details = details
        super().__init__(self.message)


class NotFound(DutiesError):
    """没有这一项，或者您无权查看。"""

    status = 404
    code = "not_found"


class NotAuthorised(DutiesError):
    """您现在的任职不能办理这一项。"""

    status = 403
    code = "not_authorised"


class AlreadyDecided(DutiesError):
    """这一项已经办理过了。"""

    status = 409
    code = "already_decided"


class KeyReused(DutiesError):
    """同一请求编号不能用于不同内容，请刷新页面后重新提交。"""

    status = 422
    code = "key_reused"


class Invalid(DutiesError):
    """填写的内容有误。"""

    status = 422
    code = "invalid"


class CannotReturn(DutiesError):
    """不能退回到这一环节。"""

    status = 409
    code = "cannot_return"


class Busy(DutiesError):
    """系统繁忙，本次未保存，请稍后重试。"""

    status = 503
    code = "busy"


class Unsettled(Busy):
    """没有收到数据库的确认，本次可能已保存，也可能没有。请稍后在原页面重新提交，不会重复办理。"""

    code = "unsettled"


class StorageFault(Busy):
    """存储设备读写出错，本次未保存。请告诉系统运维员；恢复后可以重新提交。"""

    code = "storage_fault"


class NoRoom(StorageFault):
    """存储空间不足，本次未保存。请告诉系统运维员；有了空间后可以重新提交。"""

    code = "no_room"


class ReadOnly(StorageFault):
    """系统现在只能查看，本次未保存。请告诉系统运维员；恢复后可以重新提交。"""

    code = "read_only"
