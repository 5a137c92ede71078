"""How long something takes, by the clock and in processor time."""
import os


class Clock:
    """Processor seconds of this process and of those it has waited for, and seconds of the clock; can be subtracted."""

    def __init__(self, processor=None, wall=None):
        times = os.times()
        self.processor = sum(times[:4]) if processor is None else processor
        self.wall = times[4] if wall is None else wall

    def __sub__(self, other):
        return Clock(self.processor - other.processor, self.wall - other.wall)

    def __truediv__(self, count):
        return Clock(self.processor / count, self.wall / count)
