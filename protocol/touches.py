"""Reading, now and then, whose balances have changed since one last looked."""

import numpy as np

from protocol.book import Book, Ints


class Touches:
    """One reader of the ring in which a book notes whose balances change.

    Every reader has a place of its own in it. One who has come too late, or is shown another book, has to
    look at everybody.
    """

    def __init__(self) -> None:
        self.ring: Ints | None = None
        self.read = 0

    def since(self, book: Book) -> Ints | None:
        """Traders whose balances have changed since the last call, some more than once; None: anyone's.

        The accounts that all markets share may always have changed, and are never named.
        """
        ring, noted, size = book.touched, int(book.touches[0]), len(book.touched)
        known = ring is self.ring and noted - self.read <= size
        start, self.ring, self.read = self.read, ring, noted
        if not known:
            return None
        first, last = start & (size - 1), noted & (size - 1)
        if first <= last and noted - start < size:
            return ring[first:last].astype(np.int64)
        return np.concatenate([ring[first:], ring[:last]]).astype(np.int64)
