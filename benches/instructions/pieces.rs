//! The pieces of the path that a message takes, each ready to be used and warm.

use std::hint::black_box;
use std::time::Duration;

use sipshard::dispatch::{Keys, Reservation, SelectOptions, Set, Sets, list, select};
use sipshard::load::{CallTable, CellId, Hold, Ownership, Side};
use sipshard::proxy::CallLoadSettings;
use sipshard::rng::Rng;
use sipshard::sip::{Amend, Edits, HeaderIndex, Message, Name, scan};
use sipshard::time::Timestamp;

use crate::texts::{CALLER, address, request};

/// When time begins.
pub const START: Timestamp = Timestamp::from_secs(10);
/// Of small things so many are counted: one instruction more in one of them is no growth by percents.
const TURNS: u64 = 100;
/// Calls that a table has before.
const CALLS: u64 = 1_000;

/// Set 1 with so many destinations.
pub fn sets(count: usize) -> Sets {
    let line = |number: usize| {
        let (a, b) = (number / 250, number % 250 + 1);
        format!("1 sip:10.0.{a}.{b} 0 9 duid=gw{number};weight=50;rweight=50\n")
    };
    let text: String = (0..count).map(line).collect();
    let list = list::parse(text.as_bytes()).expect("a good list");
    Sets::build(list.into_entries(), None, 1)
}

fn invite(id: u64) -> &'static [u8] {
    let route = ("sip:service@10.0.0.1:5060", "");
    Box::leak(request("INVITE", id, "", 1, route).into_boxed_slice())
}

/// A message, and room for what is found in it.
pub struct Text {
    bytes: &'static [u8],
    index: HeaderIndex,
}

impl Text {
    /// An INVITE of SIPp's.
    pub fn invite() -> Self {
        let mut text = Self {
            bytes: invite(1),
            index: HeaderIndex::new(),
        };
        text.scan();
        text
    }

    /// Finds the headers and looks for faults.
    pub fn scan(&mut self) {
        let message = scan(self.bytes, &mut self.index).expect("a message");
        black_box(message.fault());
    }
}

/// A message, and room for what becomes of it.
pub struct Splice {
    message: Message<'static>,
    edits: Edits,
    out: Vec<u8>,
}

impl Splice {
    /// An INVITE that has been edited before.
    pub fn invite() -> Self {
        let index = Box::leak(Box::new(HeaderIndex::new()));
        let mut splice = Self {
            message: scan(invite(1), index).expect("a message"),
            edits: Edits::new(),
            out: Vec::with_capacity(4096),
        };
        splice.edit();
        assert!(splice.out.len() > splice.message.bytes().len());
        splice
    }

    /// What forwarding an INVITE changes: Via, Record-Route, Max-Forwards, and the caller's own Via.
    pub fn edit(&mut self) {
        let Self {
            message,
            edits,
            out,
        } = self;
        out.clear();
        edits.clear();
        edits.insert(
            message.headers_start(),
            b"Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKs0123456789abcdef0000.01234567.0\r\n",
        );
        edits.insert(
            message.headers_start(),
            b"Record-Route: <sip:10.0.0.1:5060;lr>\r\n",
        );
        let forwards = message.first(Name::MaxForwards).expect("it has one");
        edits.replace(forwards.value_range, b"69");
        let via = message.top_via().expect("it has one");
        Amend::for_source(&via, address(CALLER)).apply(&via, *message, edits);
        edits.write(message.bytes(), out);
        black_box(out);
    }
}

/// A set that calls are dispatched to.
pub struct Choice {
    set: &'static Set,
    algorithm: u32,
    messages: Vec<Message<'static>>,
    chances: Rng,
    /// With algorithm 10 as many calls stay up.
    up: Vec<Option<Reservation>>,
    turns: usize,
}

impl Choice {
    /// With five calls up on each destination, if the algorithm counts them.
    pub fn new(algorithm: u32, count: usize) -> Self {
        let sets: &'static Sets = Box::leak(Box::new(sets(count)));
        let message = |id| {
            let index = Box::leak(Box::new(HeaderIndex::new()));
            scan(invite(id), index).expect("a message")
        };
        let mut choice = Self {
            set: sets.get(1).expect("it was loaded"),
            algorithm,
            messages: (0..TURNS).map(message).collect(),
            chances: Rng::from_seed(1),
            up: (0..count * 5).map(|_| None).collect(),
            turns: 0,
        };
        for _ in 0..=choice.up.len().div_ceil(TURNS as usize) {
            choice.choose();
        }
        choice
    }

    /// A hundred calls find their destinations, and others end.
    pub fn choose(&mut self) {
        for message in &self.messages {
            let keys = Keys {
                message: Some(*message),
                invite: true,
                chance: self.chances.next(),
                ..Keys::default()
            };
            let options = SelectOptions::default();
            let selection = select(self.set, self.algorithm, black_box(&keys), options);
            let selection = selection.expect("all are up");
            let place = self.turns % self.up.len();
            self.up[place] = black_box(selection.reservation);
            self.turns += 1;
        }
    }
}

/// A table of calls, and some to come.
pub struct Table {
    calls: CallTable,
    holds: Vec<Hold>,
    cells: Vec<CellId>,
    call_ids: Vec<String>,
}

impl Table {
    /// A thousand calls are up, and memory is there for the next hundred.
    pub fn empty_handed() -> Self {
        let settings = CallLoadSettings::default();
        let ownership = Ownership::new(7, settings.hash_size, 1);
        let sets = sets(1);
        let gateway = &sets.get(1).expect("there is one").destinations[0];
        let hold = || Hold::Counted(gateway.try_reserve().expect("there is no maxload"));
        let holds = |count: u64| (0..count).map(|_| hold()).collect();
        let call_id = |number| format!("{number}-4711@10.0.0.9");
        let mut table = Self {
            calls: CallTable::new(&settings, &ownership, 0, Duration::from_secs(32), 9),
            holds: holds(CALLS + TURNS),
            cells: Vec::with_capacity((CALLS + TURNS) as usize),
            call_ids: (0..CALLS + TURNS).map(call_id).collect(),
        };
        table.insert();
        table.cells.drain(..CALLS as usize);
        table.call_ids.drain(..CALLS as usize);
        table.remove();
        table
            .calls
            .expire(START + Duration::from_secs(60), 2 * TURNS as usize, |_| {});
        assert_eq!(table.calls.len() as u64, CALLS);
        table.holds = holds(TURNS);
        table.cells.clear();
        table
    }

    /// The hundred are in it too.
    pub fn full() -> Self {
        let mut table = Self::empty_handed();
        table.insert();
        assert_eq!(table.calls.len() as u64, CALLS + TURNS);
        table
    }

    /// Each comes, and is answered.
    pub fn insert(&mut self) {
        for call_id in &self.call_ids {
            let hold = self.holds.pop().expect("one for each call");
            let cell = self
                .calls
                .insert(call_id.as_bytes(), b"caller", 1, hold, START);
            let cell = cell.expect("there is room");
            self.calls.confirm(cell, b"callee", START);
            self.cells.push(cell);
        }
    }

    /// Each is looked up by a message of its callee.
    pub fn find(&mut self) {
        for call_id in &self.call_ids {
            black_box(self.calls.find(call_id.as_bytes(), b"callee", b"caller"));
        }
    }

    /// Each ends, and is forgotten after a while.
    pub fn remove(&mut self) {
        for &cell in &self.cells {
            let table = &mut self.calls;
            table.bye(cell, Side::Caller, b"caller", b"callee", START);
            table.bye_answered(cell, Side::Caller, b"caller", b"callee", false, START);
        }
        let later = START + Duration::from_secs(60);
        self.calls.expire(later, self.cells.len(), |_| {});
    }
}
