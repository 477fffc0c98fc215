"""Real links: frames, codec, mailbox, handshake, Unix-domain sockets, and the party that stands on them."""
