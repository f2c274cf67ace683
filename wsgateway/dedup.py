"""Which message ids were seen lately. Pure: `now` is an argument."""

from collections import OrderedDict

# Why: the recipient is part of it. A client that numbers each conversation from 1 would see its
# first message to carol called "delivered" because bob has had a number 1.
# 原因：键里要有收件人。若客户端对每个会话各自从 1 编号，发给 carol 的第一条会因为
# bob 收到过 1 号而被当成重复，却回报“已送达”。
MessageKey = tuple[str, str, str]  # sender, recipient, message id


class RecentIds:
    """A set that forgets: its oldest entries once too many, and all once too old.

    Args:
        max_ids: entries kept at most.
        max_age_s: seconds after which an entry no longer counts.
    """

    def __init__(self, max_ids: int, max_age_s: float) -> None:
        self._max_ids = max_ids
        self._max_age_s = max_age_s
        self._seen_s: OrderedDict[MessageKey, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen_s)

    def add(self, key: MessageKey, now_s: float) -> bool:
        """Remember `key`; return whether it is new."""
        seen_s = self._seen_s.get(key)
        if seen_s is not None:
            if now_s - seen_s <= self._max_age_s:
                return False
            self._seen_s.move_to_end(key)
        self._seen_s[key] = now_s
        if len(self._seen_s) > self._max_ids:
            self._seen_s.popitem(last=False)
        return True

    def forget(self, key: MessageKey) -> None:
        """Drop `key`: it was not delivered after all, so a retry must get through."""
        self._seen_s.pop(key, None)
