//! What one shard's loop counts: plain numbers, copied out on request.

/// The counters of one shard's loop; each only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlaneCounters {
    /// Datagrams received from the network.
    pub received: u64,
    /// Calls of `recvmmsg` that brought something.
    pub receive_batches: u64,
    /// Datagrams that the kernel lost because a receive buffer was full.
    pub kernel_drops: u64,
    /// Datagrams sent.
    pub sent: u64,
    /// Calls of `sendmmsg`.
    pub send_batches: u64,
    /// Datagrams that could not be sent where they should go.
    pub send_errors: u64,
    /// Datagrams dropped because the way out was full.
    pub send_drops: u64,
    /// Datagrams that came back by ICMP.
    pub undelivered: u64,
    /// Messages handed to the shards that own them.
    pub handed_out: u64,
    /// Of these, with steering: those whose Call-ID lies too far from the datagram's head.
    pub missed_out_of_reach: u64,
    /// Of these, with steering: those whose Call-ID is too long.
    pub missed_too_long: u64,
    /// Of these, with steering: those that were missed for other reasons.
    pub missed_other: u64,
    /// Messages taken over from other shards.
    pub handed_in: u64,
    /// Messages dropped because the ring to their owner was full.
    pub ring_full: u64,
    /// Messages dropped because they were handed on twice, or to a shard that does not exist.
    pub misrouted: u64,
    /// Wakes of sleeping shards.
    pub wakes: u64,
    /// Times that this shard slept until something came.
    pub sleeps: u64,
    /// Times that this shard let datagrams gather.
    pub pauses: u64,
    /// Panics caught; each cost one message.
    pub panics: u64,
}

impl PlaneCounters {
    /// Adds those of another shard.
    pub fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.receive_batches += other.receive_batches;
        self.kernel_drops += other.kernel_drops;
        self.sent += other.sent;
        self.send_batches += other.send_batches;
        self.send_errors += other.send_errors;
        self.send_drops += other.send_drops;
        self.undelivered += other.undelivered;
        self.handed_out += other.handed_out;
        self.missed_out_of_reach += other.missed_out_of_reach;
        self.missed_too_long += other.missed_too_long;
        self.missed_other += other.missed_other;
        self.handed_in += other.handed_in;
        self.ring_full += other.ring_full;
        self.misrouted += other.misrouted;
        self.wakes += other.wakes;
        self.sleeps += other.sleeps;
        self.pauses += other.pauses;
        self.panics += other.panics;
    }
}
