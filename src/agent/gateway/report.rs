//! What a gateway has seen.

use std::collections::BTreeMap;

/// Numbers of calls and messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GatewayCounts {
    /// Calls: INVITEs that were not sent again, whatever became of them.
    pub invites: u64,
    /// INVITEs received again.
    pub invites_again: u64,
    /// Calls that were rung.
    pub ringing: u64,
    /// Calls that were answered by 200.
    pub answered: u64,
    /// Answered calls whose ACK came.
    pub acked: u64,
    /// Answered calls that the caller's BYE ended.
    pub byes: u64,
    /// BYEs received again.
    pub byes_again: u64,
    /// Answered calls that the gateway hung up on.
    pub hung_up: u64,
    /// Of these: its BYE was never answered.
    pub bye_timeouts: u64,
    /// Calls that were cancelled before they were answered.
    pub cancelled: u64,
    /// CANCELs and BYEs for calls that were ended by something else.
    pub too_late: u64,
    /// Calls refused on purpose.
    pub rejected: u64,
    /// Calls that got no answer on purpose.
    pub ignored: u64,
    /// Answered calls whose ACK never came (timer H).
    pub unacked: u64,
    /// Answers sent again.
    pub answers_again: u64,
    /// OPTIONS received.
    pub options: u64,
    /// Requests and answers for no call of this gateway.
    pub strays: u64,
    /// Calls refused with 503 because too many are remembered.
    pub full: u64,
    /// Datagrams thrown away while not alive.
    pub dropped: u64,
    /// Datagrams that are not SIP, or lack what an answer needs.
    pub malformed: u64,
    /// Calls under way: from the INVITE that is rung or answered to the BYE, or the refusal.
    pub live: u64,
    /// Most calls under way at any time.
    pub max_live: u64,
}

/// Numbers of calls, and final answers to INVITE by code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatewayReport {
    /// Numbers of calls and messages.
    pub counts: GatewayCounts,
    /// How many calls got which final answer.
    pub answers: BTreeMap<u16, u64>,
}

/// One call as one gateway saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRecord {
    /// The Call-ID.
    pub call_id: Vec<u8>,
    /// The final answer that was sent, or 0.
    pub code: u16,
    /// Whether the ACK came.
    pub acked: bool,
    /// Whether it was ended by a BYE, of either side.
    pub ended: bool,
}
