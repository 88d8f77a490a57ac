//! Selection by example, on threads, and against a plain model of the peers.

mod least;
mod messages;
mod shares;

use std::sync::Barrier;
use std::thread;

use proptest::prelude::*;

use super::*;
use crate::dispatch::{Flags, Sets, hash, list};

fn load(list: &str) -> Sets {
    let entries = list::parse(list.as_bytes()).unwrap().into_entries();
    Sets::build(entries, None, 1)
}

/// Set 1 of `count` destinations whose ports are 5000 and their place in the set.
fn plain(count: usize) -> Sets {
    numbered(count, |_| String::new())
}

fn numbered(count: usize, fields: impl Fn(usize) -> String) -> Sets {
    let lines = (0..count)
        .rev()
        .map(|place| format!("1 sip:10.0.0.1:{} {}\n", 5000 + place, fields(place)));
    load(&lines.collect::<String>())
}

fn place(destination: &Destination) -> usize {
    usize::from(destination.address.unwrap().port()) - 5000
}

fn mark(sets: &Sets, place: usize, flags: u32) {
    sets.get(1).unwrap().destinations[place].update_health(|h| h.set(Flags(flags)));
}

const INVITE: Keys<'_> = Keys {
    message: None,
    call_id: Some(b"abc"),
    request_uri: None,
    variable: None,
    invite: true,
    chance: 0,
    now: Timestamp::ZERO,
};
const NO_DEFAULT: SelectOptions = SelectOptions {
    use_default: false,
    limit: 0,
    user_only: false,
    compat: false,
};
const USE_DEFAULT: SelectOptions = SelectOptions {
    use_default: true,
    limit: 0,
    user_only: false,
    compat: false,
};

fn choose(sets: &Sets, algorithm: u32, options: SelectOptions) -> Result<usize, SelectError> {
    select(sets.get(1).unwrap(), algorithm, &INVITE, options).map(|s| place(&s.destination))
}

/// The chosen place and those that failover goes to.
fn order(sets: &Sets, algorithm: u32, options: SelectOptions) -> Vec<usize> {
    let set = sets.get(1).unwrap();
    let mut selection = select(set, algorithm, &INVITE, options).unwrap();
    let mut places = vec![place(&selection.destination)];
    while let Some((destination, _)) = selection.candidates.next(set) {
        places.push(place(&destination));
    }
    places
}

#[test]
fn failover_goes_on_behind_the_chosen_one_and_then_round() {
    let sets = plain(5);
    let third = hash_to(2, 5);
    let keys = Keys {
        call_id: Some(&third),
        invite: true,
        ..Keys::default()
    };
    let set = sets.get(1).unwrap();
    let mut selection = select(set, 0, &keys, NO_DEFAULT).unwrap();
    assert_eq!(place(&selection.destination), 2);
    let rest = std::iter::from_fn(|| selection.candidates.next(set));
    let rest: Vec<_> = rest.map(|(d, _)| place(&d)).collect();
    assert_eq!(rest, [3, 4, 0, 1]);
}

/// A Call-ID that hashes to a place.
fn hash_to(place: u32, len: u32) -> Vec<u8> {
    let mut ids = (0..).map(|n: u32| n.to_string().into_bytes());
    ids.find(|id| hash::hash(id, None) % len == place).unwrap()
}

#[test]
fn call_ids_are_hashed_without_the_blanks_around_them() {
    let sets = plain(7);
    let set = sets.get(1).unwrap();
    let with = |call_id: &[u8]| {
        let keys = Keys {
            call_id: Some(call_id),
            invite: false,
            ..Keys::default()
        };
        place(&select(set, 0, &keys, NO_DEFAULT).unwrap().destination)
    };
    assert_eq!(with(b"alice"), (1_834_153_949 % 7) as usize);
    assert_eq!(with(b"\r\n\t alice \t"), with(b"alice"));
    let none = select(set, 0, &Keys::default(), NO_DEFAULT);
    assert_eq!(none.unwrap_err(), SelectError::NoKey);
}

#[test]
fn what_is_out_leaves_its_share_to_its_neighbour() {
    let sets = plain(4);
    mark(&sets, 1, Flags::INACTIVE);
    mark(&sets, 2, Flags::DISABLED);
    let set = sets.get(1).unwrap();
    let keys = Keys {
        call_id: Some(&hash_to(1, 4)),
        invite: true,
        ..Keys::default()
    };
    let selection = select(set, 0, &keys, NO_DEFAULT).unwrap();
    assert_eq!(place(&selection.destination), 3);
    mark(&sets, 1, Flags::TRYING);
    let selection = select(set, 0, &keys, NO_DEFAULT).unwrap();
    assert_eq!(place(&selection.destination), 1, "trying is not out");
}

#[test]
fn round_robin_goes_round_and_passes_the_cursor_over_what_is_out() {
    let sets = plain(4);
    let next = || choose(&sets, 4, NO_DEFAULT).unwrap();
    assert_eq!([next(), next(), next(), next(), next()], [0, 1, 2, 3, 0]);
    mark(&sets, 1, Flags::INACTIVE);
    assert_eq!([next(), next(), next(), next()], [2, 3, 0, 2]);
    mark(&sets, 1, 0);
    assert_eq!([next(), next(), next()], [3, 0, 1]);
}

#[test]
fn round_robin_with_a_default_rotates_over_the_others() {
    let sets = plain(3);
    let next = || choose(&sets, 4, USE_DEFAULT).unwrap();
    assert_eq!([next(), next(), next(), next(), next()], [0, 1, 0, 1, 0]);
}

#[test]
fn round_robin_starts_again_at_a_reload() {
    let sets = plain(3);
    assert_eq!(choose(&sets, 4, NO_DEFAULT), Ok(0));
    let entries = list::parse(b"1 sip:10.0.0.1:5001\n1 sip:10.0.0.1:5000\n");
    let after = Sets::build(entries.unwrap().into_entries(), Some(&sets), 2);
    assert_eq!(choose(&after, 4, NO_DEFAULT), Ok(0));
}

#[test]
fn serial_takes_the_first_that_is_in() {
    let sets = plain(3);
    assert_eq!(order(&sets, 8, NO_DEFAULT), [0, 1, 2]);
    mark(&sets, 0, Flags::INACTIVE);
    assert_eq!(order(&sets, 8, NO_DEFAULT), [1, 2]);
}

#[test]
fn the_default_is_taken_when_all_others_are_out() {
    let sets = plain(3);
    assert_eq!(order(&sets, 8, USE_DEFAULT), [0, 1, 2]);
    mark(&sets, 0, Flags::INACTIVE);
    mark(&sets, 1, Flags::INACTIVE);
    assert_eq!(choose(&sets, 8, USE_DEFAULT), Ok(2));
    assert_eq!(choose(&sets, 10, USE_DEFAULT), Ok(2));
    mark(&sets, 2, Flags::INACTIVE);
    for algorithm in [0, 4, 8, 10] {
        let nobody = Err(SelectError::NoDestination);
        assert_eq!(choose(&sets, algorithm, USE_DEFAULT), nobody);
    }
}

#[test]
fn failover_ends_at_the_default_even_if_it_seems_out_but_not_if_disabled() {
    let sets = plain(3);
    mark(&sets, 2, Flags::INACTIVE);
    assert_eq!(order(&sets, 8, USE_DEFAULT), [0, 1, 2]);
    assert_eq!(order(&sets, 8, NO_DEFAULT), [0, 1]);
    mark(&sets, 2, Flags::DISABLED);
    assert_eq!(order(&sets, 8, USE_DEFAULT), [0, 1]);
}

#[test]
fn one_destination_is_no_default() {
    let sets = plain(1);
    assert_eq!(order(&sets, 8, USE_DEFAULT), [0]);
    assert_eq!(order(&sets, 10, USE_DEFAULT), [0]);
}

#[test]
fn the_limit_counts_the_chosen_one() {
    let sets = plain(4);
    mark(&sets, 1, Flags::INACTIVE);
    let limited = |limit| SelectOptions {
        user_only: false,
        compat: false,
        use_default: false,
        limit,
    };
    assert_eq!(order(&sets, 8, limited(1)), [0]);
    assert_eq!(order(&sets, 8, limited(2)), [0, 2]);
    assert_eq!(order(&sets, 8, limited(9)), [0, 2, 3]);
}

#[test]
fn failover_goes_by_the_states_of_its_own_moment() {
    let sets = plain(3);
    let set = sets.get(1).unwrap();
    let mut candidates = select(set, 8, &INVITE, NO_DEFAULT).unwrap().candidates;
    mark(&sets, 1, Flags::INACTIVE);
    assert_eq!(place(&candidates.next(set).unwrap().0), 2);
    assert!(candidates.next(set).is_none());
    assert!(candidates.next(set).is_none());
}

#[test]
fn failover_is_safe_when_the_set_has_changed() {
    let sets = plain(8);
    for algorithm in [0, 4, 8, 10] {
        for options in [NO_DEFAULT, USE_DEFAULT] {
            for len in 1..10 {
                let selection = select(sets.get(1).unwrap(), algorithm, &INVITE, options);
                let mut candidates = selection.unwrap().candidates;
                let changed = plain(len);
                let set = changed.get(1).unwrap();
                let mut places: Vec<_> = std::iter::from_fn(|| candidates.next(set))
                    .map(|(destination, _)| place(&destination))
                    .collect();
                let count = places.len();
                places.sort_unstable();
                places.dedup();
                assert_eq!(places.len(), count, "nobody twice");
            }
        }
    }
}

#[test]
fn unknown_algorithms_are_told() {
    let error = choose(&plain(1), 99, NO_DEFAULT).unwrap_err();
    assert_eq!(error, SelectError::UnknownAlgorithm);
    assert!(algorithm(10).is_some_and(|known| known.name == "call load"));
}

/// Selects by call load and keeps the call.
fn call(sets: &Sets, options: SelectOptions) -> Result<(usize, Reservation), SelectError> {
    let selection = select(sets.get(1).unwrap(), 10, &INVITE, options)?;
    let reservation = selection.reservation.expect("destinations have duids");
    assert!(reservation.destination().is_same(&selection.destination));
    Ok((place(&selection.destination), reservation))
}

#[test]
fn calls_go_to_the_least_loaded_and_ties_to_the_first() {
    let sets = numbered(3, |place| format!("0 0 duid=d{place}"));
    let mut calls: Vec<_> = (0..7).map(|_| call(&sets, NO_DEFAULT).unwrap()).collect();
    let places: Vec<_> = calls.iter().map(|(place, _)| *place).collect();
    assert_eq!(places, [0, 1, 2, 0, 1, 2, 0]);
    drop(calls.remove(1));
    assert_eq!(call(&sets, NO_DEFAULT).unwrap().0, 1);
}

#[test]
fn maxload_is_the_most_and_full_is_not_out() {
    let sets = numbered(2, |place| {
        format!("0 0 duid=d{place};maxload={}", place + 1)
    });
    let calls: Vec<_> = (0..3).map(|_| call(&sets, NO_DEFAULT).unwrap()).collect();
    assert_eq!(call(&sets, NO_DEFAULT).unwrap_err(), SelectError::AllFull);
    mark(&sets, 0, Flags::INACTIVE);
    assert_eq!(call(&sets, NO_DEFAULT).unwrap_err(), SelectError::AllFull);
    mark(&sets, 1, Flags::INACTIVE);
    let error = call(&sets, NO_DEFAULT).unwrap_err();
    assert_eq!(error, SelectError::NoDestination);
    drop(calls);
    let counts: Vec<_> = sets.destinations().map(|d| d.active_calls()).collect();
    assert_eq!(counts, [0, 0]);
}

#[test]
fn the_default_takes_calls_only_when_nobody_else_can() {
    let sets = numbered(2, |place| format!("0 0 duid=d{place};maxload=2"));
    let calls: Vec<_> = (0..4).map(|_| call(&sets, USE_DEFAULT).unwrap()).collect();
    let places: Vec<_> = calls.iter().map(|(place, _)| *place).collect();
    assert_eq!(places, [0, 0, 1, 1]);
    for (place, reservation) in &calls {
        let counted_on = reservation.destination();
        assert_eq!(super::tests::place(counted_on), *place);
    }
    assert_eq!(call(&sets, USE_DEFAULT).unwrap_err(), SelectError::AllFull);
    mark(&sets, 1, Flags::INACTIVE);
    assert_eq!(call(&sets, USE_DEFAULT).unwrap_err(), SelectError::AllFull);
}

#[test]
fn requests_that_begin_no_call_are_not_counted() {
    let sets = numbered(2, |place| format!("0 0 duid=d{place};maxload=1"));
    let _call = call(&sets, NO_DEFAULT).unwrap();
    let keys = Keys {
        invite: false,
        ..INVITE
    };
    let set = sets.get(1).unwrap();
    let mut selection = select(set, 10, &keys, NO_DEFAULT).unwrap();
    assert_eq!(place(&selection.destination), 0, "as algorithm 8 chooses");
    assert!(selection.reservation.is_none());
    assert!(selection.candidates.next(set).unwrap().1.is_none());
}

#[test]
fn without_a_duid_calls_are_not_counted() {
    let sets = plain(2);
    let set = sets.get(1).unwrap();
    let mut selection = select(set, 10, &INVITE, NO_DEFAULT).unwrap();
    assert!(selection.reservation.is_none());
    let (_, reservation) = selection.candidates.next(set).unwrap();
    assert!(reservation.is_none());
}

#[test]
fn failover_counts_the_call_where_it_goes_and_passes_full_ones() {
    let sets = numbered(4, |place| format!("0 0 duid=d{place};maxload=1"));
    let set = sets.get(1).unwrap();
    let mut first = select(set, 10, &INVITE, NO_DEFAULT).unwrap();
    let _second = call(&sets, NO_DEFAULT).unwrap();
    let (destination, reservation) = first.candidates.next(set).unwrap();
    assert_eq!(place(&destination), 2);
    let loads = || -> Vec<_> { sets.destinations().map(|d| d.active_calls()).collect() };
    assert_eq!(loads(), [1, 1, 1, 0]);
    drop(first.reservation);
    drop(reservation);
    assert_eq!(loads(), [0, 1, 0, 0]);
}

#[test]
fn with_compat_failover_ends_at_a_disabled_default() {
    let sets = plain(3);
    mark(&sets, 2, Flags::DISABLED);
    let compat = SelectOptions {
        compat: true,
        ..USE_DEFAULT
    };
    assert_eq!(order(&sets, 8, compat), [0, 1, 2]);
}

/// Runs `work` on four threads that begin together.
fn together<T: Send>(work: impl Fn() -> T + Sync) -> Vec<T> {
    let begin = Barrier::new(4);
    let run = || {
        begin.wait();
        work()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        let joined = threads.into_iter().map(|thread| thread.join().unwrap());
        joined.collect()
    })
}

#[test]
fn no_number_of_threads_passes_maxload() {
    let sets = numbered(3, |place| format!("0 0 duid=d{place};maxload=500"));
    let admit = || -> Vec<Reservation> {
        let mut calls = (0..1_000).map(|_| call(&sets, NO_DEFAULT));
        std::iter::from_fn(|| calls.next()?.ok())
            .map(|(_, reservation)| reservation)
            .collect()
    };
    for _ in 0..60 {
        let calls: Vec<_> = together(admit).into_iter().flatten().collect();
        assert_eq!(calls.len(), 1_500, "every place is taken, and none twice");
        assert!(sets.destinations().all(|d| d.active_calls() == 500));
        drop(calls);
        assert!(sets.destinations().all(|d| d.active_calls() == 0));
    }
}

#[test]
fn calls_that_come_and_go_on_many_threads_stay_below_maxload() {
    let sets = numbered(2, |place| format!("0 0 duid=d{place};maxload=1"));
    let set = sets.get(1).unwrap();
    let below_maxload = || sets.destinations().all(|d| d.active_calls() <= 1);
    together(|| {
        for _ in 0..50_000 {
            let Ok(mut selection) = select(set, 10, &INVITE, NO_DEFAULT) else {
                continue;
            };
            let moved = selection.candidates.next(set);
            assert!(below_maxload());
            drop(selection.reservation.take());
            assert!(below_maxload());
            drop(moved);
        }
    });
    assert!(sets.destinations().all(|d| d.active_calls() == 0));
}

/// The peers' frame, told plainly: everything is looked at, lists are written down.
struct Model {
    /// Flags, calls, maxload and whether it has a duid, in set order.
    rows: Vec<(u32, u32, u32, bool)>,
    cursor: usize,
}

impl Model {
    fn is_out(&self, place: usize) -> bool {
        self.rows[place].0 & (Flags::INACTIVE | Flags::DISABLED) != 0
    }

    fn is_full(&self, place: usize) -> bool {
        let (_, calls, maxload, _) = self.rows[place];
        maxload != 0 && calls >= maxload
    }

    fn choose(&mut self, algorithm: u32, keys: &Keys<'_>, use_default: bool) -> Option<usize> {
        let len = self.rows.len();
        let modulus = if len > 1 && use_default { len - 1 } else { len };
        if algorithm == 10 && keys.invite {
            let free = |place: &usize| !self.is_out(*place) && !self.is_full(*place);
            let regular = (0..modulus).filter(free);
            let least = regular.min_by_key(|&place| (self.rows[place].1, place));
            return least.or_else(|| (modulus..len).find(free));
        }
        let start = match algorithm {
            0 => hash::hash(keys.call_id.unwrap(), None) as usize,
            4 => self.cursor,
            _ => 0,
        } % modulus;
        self.cursor = (self.cursor + usize::from(algorithm == 4)) % len;
        let mut place = start;
        while self.is_out(place) {
            place = (place + 1) % modulus;
            if place == start {
                if use_default && !self.is_out(len - 1) {
                    place = len - 1;
                    break;
                }
                return None;
            }
        }
        if algorithm == 4 {
            self.cursor = (place + 1) % len;
        }
        Some(place)
    }

    fn failover(&self, chosen: usize, counting: bool, options: SelectOptions) -> Vec<usize> {
        let len = self.rows.len();
        let has_default = options.use_default && len > 1;
        let full = |place: usize| counting && self.rows[place].3 && self.is_full(place);
        let mut list: Vec<usize> = (chosen + 1..len)
            .chain(0..chosen)
            .filter(|&place| !(has_default && place == len - 1))
            .filter(|&place| !self.is_out(place) && !full(place))
            .collect();
        let disabled = self.rows[len - 1].0 & Flags::DISABLED != 0;
        if has_default && chosen != len - 1 && !disabled && !full(len - 1) {
            list.push(len - 1);
        }
        if options.limit > 0 {
            list.truncate(options.limit as usize - 1);
        }
        list
    }
}

fn any_row() -> impl Strategy<Value = (u32, u32, bool)> {
    let flags = prop_oneof![4 => Just(0), 2 => Just(1), 1 => Just(4), 1 => Just(2), 1 => Just(8)];
    (flags, 0..4_u32, prop::bool::weighted(0.8))
}

proptest! {
    #[test]
    fn choices_and_failover_are_the_models(
        rows in prop::collection::vec(any_row(), 1..8),
        requests in prop::collection::vec(
            (prop::sample::select(vec![0_u32, 4, 8, 10]), any::<u16>(), any::<bool>()), 1..30),
        use_default in any::<bool>(),
        limit in 0..5_u32,
    ) {
        let options = SelectOptions { use_default, limit, user_only: false, compat: false };
        let sets = numbered(rows.len(), |place| {
            let (flags, maxload, has_duid) = rows[place];
            let duid = if has_duid { format!("duid=d{place};") } else { String::new() };
            format!("{flags} 0 {duid}maxload={maxload}")
        });
        let set = sets.get(1).unwrap();
        let mut model = Model {
            rows: rows.iter().map(|&(flags, maxload, duid)| (flags, 0, maxload, duid)).collect(),
            cursor: 0,
        };
        let mut calls: Vec<Reservation> = Vec::new();
        for (algorithm, number, invite) in requests {
            if number % 5 == 0 && !calls.is_empty() {
                let ended = calls.swap_remove(usize::from(number) % calls.len());
                model.rows[place(ended.destination())].1 -= 1;
            }
            let call_id = number.to_string();
            let keys = Keys { call_id: Some(call_id.as_bytes()), invite, ..Keys::default() };
            let expected = model.choose(algorithm, &keys, use_default);
            let selection = select(set, algorithm, &keys, options);
            prop_assert_eq!(selection.as_ref().ok().map(|s| place(&s.destination)), expected);
            let Ok(mut selection) = selection else { continue };
            let counting = algorithm == 10 && invite;
            let chosen = place(&selection.destination);
            let counted = counting && model.rows[chosen].3;
            prop_assert_eq!(selection.reservation.is_some(), counted);
            model.rows[chosen].1 += u32::from(counted);
            calls.extend(selection.reservation.take());

            let tried: Vec<_> = std::iter::from_fn(|| selection.candidates.next(set)).collect();
            let places: Vec<_> = tried.iter().map(|(destination, _)| place(destination)).collect();
            prop_assert_eq!(places, model.failover(chosen, counting, options));
            for (destination, reservation) in &tried {
                prop_assert_eq!(reservation.is_some(), counting && destination.is_counted());
            }
            drop(tried);
            for (place, destination) in set.destinations.iter().enumerate() {
                prop_assert_eq!(destination.active_calls(), model.rows[place].1);
            }
        }
    }
}
