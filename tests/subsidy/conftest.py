"""Property tests may take their time: a slow machine is no finding."""

from hypothesis import settings

settings.register_profile("ours", deadline=None)
settings.load_profile("ours")
