"""A disk of its own for a node: ext4 on a file, mounted through a loop device, whose power can be cut.

Not a disk that lies: what was synced is there afterwards. A cut is EXT4_IOC_SHUTDOWN without a flush of its journal
(`fs/ext4/ioctl.c` of Linux): from then on nothing reaches the file, and what the system still held in memory is gone.

1. Mounts are made in this process's own namespace (`netns.enter`), so none is left behind.
2. Before `plug` nobody holds the mount: otherwise the system would give back the one that was shut down.
"""

import errno
import fcntl
import os
import struct
import time

from netns import tool

EXT4_IOC_SHUTDOWN = 0x8004587D
SHUTDOWN_NOLOGFLUSH = 2
DISK_BYTES = 1 << 30
UNMOUNT_SECONDS_MAX = 20


class Disk:
    """A mounted disk; `folder` is where."""

    def __init__(self, folder, size=DISK_BYTES):
        self.image, self.folder = folder.with_suffix(".disk"), folder
        folder.mkdir()
        with self.image.open("wb") as image:
            image.truncate(size)
        # Nothing is left to be written in the background, and nothing is kept for root.
        tool("mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image)
        self.plug()

    def plug(self):
        """Mounts it; the file system mends itself from its journal first."""
        tool("mount", "-o", "loop", self.image, self.folder)

    def cut_power(self):
        """The disk answers nothing from now on, and forgets what was not synced."""
        handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(handle, EXT4_IOC_SHUTDOWN, struct.pack("I", SHUTDOWN_NOLOGFLUSH))
        finally:
            os.close(handle)

    def unplug(self):
        """Unmounts it. Whoever used it must have ended; a process that was killed may need a moment to be gone."""
        deadline = time.monotonic() + UNMOUNT_SECONDS_MAX
        while True:
            try:
                return tool("umount", self.folder)
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def close(self):
        self.unplug()
        self.image.unlink()

    def fill(self, spare=0):
        """Takes all room that is left but `spare` bytes."""
        with (self.folder / "ballast").open("wb") as ballast:
            state = os.statvfs(self.folder)
            free = max(0, state.f_bavail * state.f_frsize - spare)
            try:
                os.posix_fallocate(ballast.fileno(), 0, free)
            except OSError as error:
                assert error.errno == errno.ENOSPC, error

    def make_room(self):
        (self.folder / "ballast").unlink(missing_ok=True)
