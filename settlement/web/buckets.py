"""Does one device ask too often? A bucket for each: it fills at a rate, and every request takes from it."""

# As many seconds' worth may be asked at once.
_BURST_S = 2
_MOST_DEVICES = 10_000


class Buckets:
    """The buckets of the devices that have asked lately."""

    def __init__(self, per_s: int) -> None:
        self._per_s = per_s
        self._most = per_s * _BURST_S * 1000
        # What is in each bucket, in thousandths of a request, and when it was looked at.
        self._left: dict[str, tuple[int, int]] = {}

    def take(self, device: str, now_ms: int) -> bool:
        """Take one request from the device's bucket; whether there was one."""
        left, at_ms = self._left.get(device, (self._most, now_ms))
        left = min(self._most, left + max(now_ms - at_ms, 0) * self._per_s)
        if left < 1000:
            self._left[device] = (left, now_ms)
            return False
        if len(self._left) >= _MOST_DEVICES:
            self._left.clear()  # everybody begins with a full one
        self._left[device] = (left - 1000, now_ms)
        return True
