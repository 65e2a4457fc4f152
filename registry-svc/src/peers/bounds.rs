//! Every limit of a link, and why it is that number.

/// Largest message, in bytes. An entry holds up to one whole request of 4 MiB
/// and an append a few of them; the rest is room for a later version that
/// sends more at a time.
pub const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// Calls and notes that wait to be sent to one peer. A healthy link empties
/// its queue at each turn of the runtime; consensus has a handful of calls
/// under way, the service above one message for many commands. A thousand
/// waiting are a peer that does not read.
pub const MAX_QUEUED: usize = 1024;

/// Bytes that wait to be sent to one peer: eight of the largest appends
/// (4 MiB). More would be memory spent on a peer that does not keep up; it
/// gets what it lacks later, from the log. A message larger than this alone
/// is taken when the queue is empty.
pub const MAX_QUEUED_BYTES: usize = 32 << 20;

/// Calls of one link that are sent and not answered. Four times the queue:
/// answers may wait for a disk, sending does not. The acceptor takes up no
/// more than this at a time either; further ones wait in the stream.
pub const MAX_IN_FLIGHT: usize = 4096;

/// Frames that an acceptor takes from one link before others on its thread
/// have their turn.
pub(super) const FRAMES_A_TURN: usize = 256;

/// Credit of one stream, in bytes: two of the largest appends, so that one is
/// sent in one go while the one before is being read. Give it to the server's
/// host, too: the receiver's side grants the credit.
pub const STREAM_WINDOW: u32 = 8 << 20;

/// Credit of one connection: that of its two streams (link and snapshot), and
/// room so that a snapshot that waits for a disk never stops the link.
pub(super) const CONNECTION_WINDOW: u32 = 32 << 20;

/// A piece of a snapshot: large enough that reading it costs more than its
/// way through the channels, small enough that heartbeats on the same
/// connection pass between two of them.
pub(super) const PIECE_BYTES: usize = 256 << 10;

/// Pieces that wait on either side of a disk that is slower than the network,
/// or the other way round: 1 MiB.
pub(super) const PIECES_AHEAD: usize = 4;

/// Addresses that are kept for one replica: the one that the cluster knows,
/// the one that it said last, and the one before, for an answer of DNS that
/// is behind.
pub(super) const ADDRESSES: usize = 3;

/// Dials to one peer at a time. More than one only when somebody asks for a
/// new one while an old one gets no answer.
pub(super) const DIALS: usize = 3;
