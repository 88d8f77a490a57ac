//! The table against a naive model, with all counters compared after every step.

use proptest::prelude::*;

use super::*;

const GATEWAYS: usize = 3;
const MAX_CALLS: u32 = 8;

/// Indices are into small sets of Call-IDs, tags and gateways, so that they meet often.
#[derive(Clone, Debug)]
enum Step {
    Insert(u8, u8, usize, bool),
    Confirm(u8, u8, u8),
    Refresh(u8, u8),
    End(u8, u8),
    Bye(u8, u8, u8),
    Move(u8, u8, usize, bool),
    Revive(u8, u8, usize, bool),
    Pass(u64),
    ExpireAll,
}

fn step() -> impl Strategy<Value = Step> {
    let (id, tag) = (0..6_u8, 0..3_u8);
    let hold = (0..GATEWAYS, prop::bool::weighted(0.8));
    let key = (id, tag.clone());
    prop_oneof![
        6 => (key.clone(), hold.clone()).prop_map(|((i, t), (g, c))| Step::Insert(i, t, g, c)),
        4 => (key.clone(), tag.clone()).prop_map(|((i, t), to)| Step::Confirm(i, t, to)),
        1 => key.clone().prop_map(|(i, t)| Step::Refresh(i, t)),
        2 => key.clone().prop_map(|(i, t)| Step::End(i, t)),
        5 => (key.clone(), tag).prop_map(|((i, t), to)| Step::Bye(i, t, to)),
        2 => (key.clone(), hold.clone()).prop_map(|((i, t), (g, c))| Step::Move(i, t, g, c)),
        3 => (key, hold).prop_map(|((i, t), (g, c))| Step::Revive(i, t, g, c)),
        3 => (1..70_u64).prop_map(Step::Pass),
        2 => Just(Step::ExpireAll),
    ]
}

#[derive(Clone, Debug)]
struct Call {
    key: (u8, u8),
    cell: CellId,
    phase: Phase,
    gateway: usize,
    counted: bool,
    callee: Option<u8>,
    until: u64,
}

/// Calls in the order in which they ended last; those that have not ended come where they like.
struct World {
    table: CallTable,
    gateways: Vec<Arc<Destination>>,
    calls: Vec<Call>,
    seconds: u64,
}

impl World {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.seconds)
    }

    fn hold(&self, gateway: usize, is_counted: bool) -> Hold {
        if is_counted {
            counted(&self.gateways[gateway])
        } else {
            pinned(&self.gateways[gateway])
        }
    }

    fn position(&self, key: (u8, u8)) -> Option<usize> {
        self.calls.iter().position(|call| call.key == key)
    }

    /// The model's end of a call: it goes to the back of the queue.
    fn ended(&mut self, position: usize) {
        let mut call = self.calls.remove(position);
        call.phase = Phase::Ended;
        call.counted = false;
        call.until = self.seconds + 32;
        self.calls.push(call);
    }

    fn insert(&mut self, key: (u8, u8), gateway: usize, is_counted: bool) {
        let hold = self.hold(gateway, is_counted);
        let now = self.now();
        let result = self.table.insert(&[key.0], &[key.1], 1, hold, now);
        if let Some(known) = self.position(key) {
            assert_eq!(result, Err(InsertError::Known(self.calls[known].cell)));
            return;
        }
        for _ in 0..2 {
            let oldest = self
                .calls
                .iter()
                .position(|call| call.phase == Phase::Ended);
            if let Some(oldest) = oldest.filter(|&oldest| self.calls[oldest].until <= self.seconds)
            {
                self.calls.remove(oldest);
            }
        }
        if self.calls.len() == MAX_CALLS as usize {
            match self
                .calls
                .iter()
                .position(|call| call.phase == Phase::Ended)
            {
                Some(oldest) => drop(self.calls.remove(oldest)),
                None => return assert_eq!(result, Err(InsertError::Full)),
            }
        }
        self.calls.push(Call {
            key,
            cell: result.expect("the model has room"),
            phase: Phase::Early,
            gateway,
            counted: is_counted,
            callee: None,
            until: self.seconds + 100,
        });
    }

    fn confirm(&mut self, position: usize, tag: u8) {
        let (now, until) = (self.now(), self.seconds + 600);
        let call = &mut self.calls[position];
        let outcome = self.table.confirm(call.cell, &[tag], now);
        let expected = match call.phase {
            Phase::Ended => Confirmation::Late,
            Phase::Confirmed => {
                call.until = until;
                Confirmation::Again
            }
            Phase::Closing => Confirmation::Again,
            Phase::Early if call.callee == Some(tag) => {
                self.ended(position);
                Confirmation::EndedByBye
            }
            Phase::Early => {
                call.phase = Phase::Confirmed;
                call.callee = Some(tag);
                call.until = until;
                Confirmation::First
            }
        };
        assert_eq!(outcome, expected);
    }

    /// A BYE with these tags, matched as a proxy would match it.
    fn bye(&mut self, id: u8, from: u8, to: u8) {
        let now = self.now();
        let found = self.table.find(&[id], &[from], &[to]);
        let as_caller = self.position((id, from));
        let position = as_caller.or_else(|| self.position((id, to)));
        let expected = position.map(|position| self.calls[position].cell);
        assert_eq!(found.map(|(cell, _)| cell), expected);
        let (Some((cell, side)), Some(position)) = (found, position) else {
            return;
        };
        assert_eq!(side == Side::Caller, as_caller.is_some());
        let callee = if side == Side::Caller { to } else { from };
        let outcome = self.table.bye(cell, side, &[from], &[to], now);
        let seconds = self.seconds;
        let call = &mut self.calls[position];
        let expected = match call.phase {
            Phase::Ended => ByeOutcome::Repeated,
            Phase::Early if side == Side::Callee => {
                call.callee = Some(callee);
                ByeOutcome::Remembered
            }
            Phase::Confirmed if call.callee == Some(callee) => {
                call.phase = Phase::Closing;
                call.until = call.until.min(seconds + LINGER.as_secs());
                ByeOutcome::Closing
            }
            Phase::Closing if call.callee == Some(callee) => ByeOutcome::Closing,
            _ => ByeOutcome::Ignored,
        };
        assert_eq!(outcome, expected);
        // The answer comes in two of three cases, and every third of these is a challenge.
        if !(id + from + to).is_multiple_of(3) {
            self.bye_answered(position, (cell, side), (from, to));
        }
    }

    fn bye_answered(&mut self, position: usize, found: (CellId, Side), tags: (u8, u8)) {
        let ((cell, side), (from, to), now) = (found, tags, self.now());
        let challenged = (from + to) % 3 == 1;
        let ended = self
            .table
            .bye_answered(cell, side, &[from], &[to], challenged, now);
        let callee = if side == Side::Caller { to } else { from };
        let call = &mut self.calls[position];
        let closes = call.phase == Phase::Closing && call.callee == Some(callee);
        assert_eq!(ended, closes && !challenged);
        if closes && challenged {
            call.phase = Phase::Confirmed;
            call.until = self.seconds + 600;
        } else if closes {
            self.ended(position);
        }
    }

    fn move_to(&mut self, position: usize, gateway: usize, is_counted: bool) {
        let hold = self.hold(gateway, is_counted);
        let call = &mut self.calls[position];
        let moved = self.table.move_to(call.cell, hold);
        assert_eq!(moved, call.phase != Phase::Ended);
        if moved {
            call.gateway = gateway;
            call.counted = is_counted;
        }
    }

    fn revive(&mut self, position: usize, gateway: usize, is_counted: bool) {
        let (hold, now) = (self.hold(gateway, is_counted), self.now());
        let call = &mut self.calls[position];
        let revived = self.table.revive(call.cell, 2, hold, now);
        assert_eq!(revived, call.phase == Phase::Ended);
        if revived {
            call.phase = Phase::Early;
            call.callee = None;
            call.gateway = gateway;
            call.counted = is_counted;
            call.until = self.seconds + 100;
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Insert(id, tag, gateway, counted) => self.insert((id, tag), gateway, counted),
            Step::Bye(id, from, to) => self.bye(id, from, to),
            Step::Pass(seconds) => self.seconds += seconds,
            Step::ExpireAll => {
                expire_all(&mut self.table, Timestamp::from_secs(self.seconds));
                self.calls.retain(|call| call.until > self.seconds);
            }
            Step::Confirm(id, tag, _)
            | Step::Refresh(id, tag)
            | Step::End(id, tag)
            | Step::Move(id, tag, ..)
            | Step::Revive(id, tag, ..) => {
                if let Some(position) = self.position((id, tag)) {
                    self.step_call(position, step);
                }
            }
        }
    }

    fn step_call(&mut self, position: usize, step: &Step) {
        let now = self.now();
        match *step {
            Step::Confirm(_, _, tag) => self.confirm(position, tag),
            Step::Refresh(..) => {
                self.table.refresh(self.calls[position].cell, now);
                if self.calls[position].phase == Phase::Confirmed {
                    self.calls[position].until = self.seconds + 600;
                }
            }
            Step::Move(_, _, gateway, counted) => self.move_to(position, gateway, counted),
            Step::Revive(_, _, gateway, counted) => self.revive(position, gateway, counted),
            _ => {
                let ended = self.table.end(self.calls[position].cell, now);
                assert_eq!(ended, self.calls[position].phase != Phase::Ended);
                if ended {
                    self.ended(position);
                }
            }
        }
    }

    fn check(&self) {
        assert_eq!(self.table.len(), self.calls.len());
        for (number, gateway) in self.gateways.iter().enumerate() {
            let here = |call: &&Call| call.counted && call.gateway == number;
            let calls = self.calls.iter().filter(here).count();
            assert_eq!(gateway.active_calls() as usize, calls);
            let cells = self.table.cells();
            let cells = cells.filter(|cell| cell.counted && Arc::ptr_eq(cell.destination, gateway));
            assert_eq!(cells.count(), calls);
        }
        let counted = self.calls.iter().filter(|call| call.counted).count();
        assert_eq!(self.table.counted(), counted);
        for call in &self.calls {
            let found = self.table.find(&[call.key.0], &[call.key.1], b"");
            assert_eq!(found, Some((call.cell, Side::Caller)));
            let view = self.table.get(call.cell).expect("it was found");
            assert_eq!(view.phase, call.phase);
            assert_eq!(view.until_seconds, Some(call.until as u32));
            assert!(Arc::ptr_eq(view.destination, &self.gateways[call.gateway]));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn it_does_what_a_naive_table_does(steps in prop::collection::vec(step(), 1..150)) {
        let settings = CallLoadSettings { max_calls: MAX_CALLS, ..settings() };
        let mut world = World {
            table: table_with(&settings),
            gateways: (0..GATEWAYS as u32).map(gateway).collect(),
            calls: Vec::new(),
            seconds: 1_000,
        };
        for step in &steps {
            world.step(step);
            world.check();
        }
    }
}
