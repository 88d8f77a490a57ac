//! Algorithms that share calls out: by weight, by priority, by latency, by chance, by rendezvous.

use std::collections::BTreeMap;

use super::*;
use crate::dispatch::Latency;

/// How many of `turns` selections go to each place of set 1.
fn counts(sets: &Sets, algorithm: u32, turns: u32, options: SelectOptions) -> Vec<u32> {
    let mut counts = vec![0; sets.get(1).unwrap().len()];
    for _ in 0..turns {
        counts[choose(sets, algorithm, options).unwrap()] += 1;
    }
    counts
}

fn weighted(name: &str, weights: &[u32]) -> Sets {
    numbered(weights.len(), |place| {
        format!("0 0 {name}={}", weights[place])
    })
}

#[test]
fn weights_are_percent_and_the_last_gets_the_rest() {
    for (weights, expected) in [
        (&[50, 30, 20][..], &[50, 30, 20][..]),
        (&[50, 20, 10], &[50, 20, 30]),
        (&[50, 80, 20], &[50, 50, 0]),
        (&[20, 0, 0], &[20, 0, 80]),
        (&[0, 50, 50], &[100, 0, 0]),
    ] {
        let sets = weighted("weight", weights);
        assert_eq!(counts(&sets, 9, 100, NO_DEFAULT), expected);
        assert_eq!(counts(&sets, 9, 100, NO_DEFAULT), expected, "and again");
    }
}

#[test]
fn the_share_by_weight_of_what_is_out_goes_to_its_neighbour() {
    let sets = weighted("weight", &[50, 30, 20]);
    mark(&sets, 0, Flags::INACTIVE);
    assert_eq!(counts(&sets, 9, 100, NO_DEFAULT), [0, 80, 20]);
    mark(&sets, 0, 0);
    assert_eq!(counts(&sets, 9, 100, USE_DEFAULT), [70, 30, 0]);
}

#[test]
fn relative_weights_are_shared_out_among_those_that_are_in() {
    let sets = weighted("rweight", &[10, 10, 10]);
    assert_eq!(counts(&sets, 11, 100, NO_DEFAULT), [33, 33, 34]);
    mark(&sets, 2, Flags::DISABLED);
    assert_eq!(counts(&sets, 11, 100, NO_DEFAULT), [50, 50, 0]);
    mark(&sets, 2, 0);
    assert_eq!(counts(&sets, 11, 100, NO_DEFAULT), [33, 33, 34]);
    let sets = weighted("rweight", &[50, 0, 30, 20]);
    assert_eq!(counts(&sets, 11, 100, NO_DEFAULT), [50, 0, 30, 20]);
    assert_eq!(
        counts(&weighted("rweight", &[0, 0]), 11, 10, NO_DEFAULT),
        [10, 0]
    );
    assert_eq!(counts(&weighted("rweight", &[7]), 11, 10, NO_DEFAULT), [10]);
}

#[test]
fn relative_weights_stay_as_they_were_when_nobody_with_one_is_left() {
    let sets = weighted("rweight", &[0, 10, 10, 0]);
    mark(&sets, 1, Flags::INACTIVE);
    mark(&sets, 2, Flags::INACTIVE);
    assert_eq!(counts(&sets, 11, 100, NO_DEFAULT), [0, 0, 0, 100]);
}

#[test]
fn srv_takes_the_lowest_priority_number_that_is_in() {
    let line = |place: usize| ["9 weight=60", "5 weight=50", "5 weight=10", "5 weight=0"][place];
    let sets = numbered(4, |place| format!("0 {}", line(place)));
    assert_eq!(counts(&sets, 15, 100, NO_DEFAULT), [0, 83, 17, 0]);
    mark(&sets, 1, Flags::INACTIVE);
    assert_eq!(counts(&sets, 15, 100, NO_DEFAULT), [0, 0, 100, 0]);
    mark(&sets, 2, Flags::INACTIVE);
    assert_eq!(counts(&sets, 15, 100, NO_DEFAULT), [0, 0, 0, 100]);
    mark(&sets, 3, Flags::INACTIVE);
    assert_eq!(counts(&sets, 15, 100, NO_DEFAULT), [100, 0, 0, 0]);
    assert_eq!(counts(&plain(3), 15, 100, NO_DEFAULT), [33, 33, 34]);
}

#[test]
fn with_compat_srv_hears_of_changes_only_by_relative_weights() {
    // The share of who is out goes to its neighbour, or in the new table to all.
    for (compat, rweight, expected) in [
        (true, "", [0, 80, 20]),
        (true, ";rweight=1", [0, 60, 40]),
        (false, "", [0, 60, 40]),
    ] {
        let line = |(place, weight): (usize, u32)| {
            let port = 5000 + place;
            format!("1 sip:10.0.0.1:{port} 0 0 weight={weight}{rweight}\n")
        };
        let text: String = [(2, 20), (1, 30), (0, 50)].map(line).concat();
        let entries = list::parse(text.as_bytes()).unwrap().into_entries();
        let options = crate::dispatch::BuildOptions {
            version: 1,
            compat,
            ..Default::default()
        };
        let sets = Sets::build_with(entries, None, &options);
        mark(&sets, 0, Flags::INACTIVE);
        assert_eq!(
            counts(&sets, 15, 100, NO_DEFAULT),
            expected,
            "{compat}{rweight}"
        );
    }
}

#[test]
fn turns_are_shuffled_by_the_seed() {
    let order = |seed| {
        let lines = "1 sip:10.0.0.1:5001 0 0 weight=50\n1 sip:10.0.0.1:5000 0 0 weight=50\n";
        let entries = list::parse(lines.as_bytes()).unwrap().into_entries();
        let options = crate::dispatch::BuildOptions {
            seed,
            ..Default::default()
        };
        let sets = Sets::build_with(entries, None, &options);
        let turns = (0..100).map(|_| choose(&sets, 9, NO_DEFAULT).unwrap());
        turns.collect::<Vec<_>>()
    };
    assert_eq!(order(1), order(1));
    assert_ne!(order(1), order(2));
}

#[test]
fn chance_reaches_everybody() {
    let sets = plain(5);
    let set = sets.get(1).unwrap();
    let mut rng = crate::rng::Rng::from_seed(4);
    let mut counts = [0_u32; 5];
    for _ in 0..5_000 {
        let keys = Keys {
            chance: rng.next(),
            ..INVITE
        };
        counts[place(&select(set, 6, &keys, NO_DEFAULT).unwrap().destination)] += 1;
    }
    assert!(
        counts.iter().all(|&count| (900..1_100).contains(&count)),
        "{counts:?}"
    );
}

#[test]
fn round_robin_or_serial_goes_by_the_priorities() {
    let with = |priorities: [u32; 3]| {
        let sets = numbered(3, |place| format!("0 {}", priorities[place]));
        [(); 4].map(|()| choose(&sets, 14, NO_DEFAULT).unwrap())
    };
    assert_eq!(with([5, 5, 5]), [0, 1, 2, 0]);
    assert_eq!(with([5, 5, 4]), [0; 4]);
    assert_eq!(with([0, 0, 0]), [0; 4]);
}

#[test]
fn overload_control_passes_over_for_its_share_and_time() {
    let sets = plain(2);
    let set = sets.get(1).unwrap();
    let until = Timestamp::from_secs(5);
    assert_eq!(counts(&sets, 64, 100, NO_DEFAULT), [50, 50]);
    assert!(set.destinations[0].set_overload(40, until, 1));
    assert_eq!(set.destinations[0].overload_rate(Timestamp::ZERO), 40);
    let mut first = 0;
    for _ in 0..200 {
        let selection = select(set, 64, &INVITE, NO_DEFAULT).unwrap();
        first += u32::from(place(&selection.destination) == 0);
    }
    // Of its turns, each alternate one unless it was passed over, sixty in a hundred are its own.
    assert!((60..=80).contains(&first), "{first}");
    let keys = Keys {
        now: until,
        ..INVITE
    };
    let at_end = [(); 2].map(|()| place(&select(set, 64, &keys, NO_DEFAULT).unwrap().destination));
    assert_ne!(at_end[0], at_end[1]);
    set.destinations[0].set_overload(100, until, 2);
    set.destinations[1].set_overload(100, until, 1);
    assert_eq!(
        choose(&sets, 64, NO_DEFAULT),
        Err(SelectError::NoDestination)
    );
    assert_eq!(choose(&sets, 64, USE_DEFAULT), Ok(1));
}

fn set_latency(sets: &Sets, place: usize, latency_ms: u32) {
    sets.get(1).unwrap().destinations[place].set_latency(Latency::assumed(latency_ms));
}

#[test]
fn latency_lowers_priority_and_equals_take_turns() {
    let sets = numbered(3, |_| "0 50".to_owned());
    let next = || choose(&sets, 13, NO_DEFAULT).unwrap();
    assert_eq!([next(), next(), next(), next()], [0, 1, 2, 0]);
    set_latency(&sets, 1, 50);
    assert_eq!(
        [next(), next(), next()],
        [1, 2, 0],
        "not above its priority"
    );
    set_latency(&sets, 1, 51);
    set_latency(&sets, 2, 150);
    assert_eq!([next(), next()], [0, 0]);
    assert_eq!(order(&sets, 13, NO_DEFAULT), [0, 1, 2]);
    set_latency(&sets, 0, 1_000_000);
    assert_eq!(order(&sets, 13, NO_DEFAULT), [1, 2, 0]);
    mark(&sets, 2, Flags::INACTIVE);
    assert_eq!(order(&sets, 13, NO_DEFAULT), [1, 0]);
}

#[test]
fn latency_falls_to_the_default_when_all_others_are_out() {
    let sets = plain(3);
    assert_eq!(order(&sets, 13, USE_DEFAULT), [0, 1, 2]);
    assert_eq!(order(&sets, 13, USE_DEFAULT), [1, 0, 2]);
    mark(&sets, 0, Flags::INACTIVE);
    mark(&sets, 1, Flags::INACTIVE);
    assert_eq!(order(&sets, 13, USE_DEFAULT), [2]);
    mark(&sets, 2, Flags::INACTIVE);
    assert_eq!(
        choose(&sets, 13, USE_DEFAULT),
        Err(SelectError::NoDestination)
    );
}

#[test]
fn with_congestion_control_only_what_is_above_the_average_counts() {
    let sets = numbered(2, |place| ["0 10 cc=1", "0 10"][place].to_owned());
    set_latency(&sets, 0, 500);
    set_latency(&sets, 1, 500);
    assert_eq!(
        [(); 3].map(|()| choose(&sets, 13, NO_DEFAULT).unwrap()),
        [0; 3]
    );
    let destination = &sets.get(1).unwrap().destinations[0];
    let calm = [20, 22].into_iter().cycle().take(30);
    let slow = calm.chain([2_000; 10]);
    let latency = slow.fold(Latency::default(), |latency, x| latency.sample(x, 0.5));
    destination.set_latency(latency);
    assert!(latency.congestion_ms() > 500, "{latency:?}");
    assert_eq!(choose(&sets, 13, NO_DEFAULT), Ok(1));
}

/// Where each of many Call-IDs goes by rendezvous hashing.
fn homes(sets: &Sets) -> BTreeMap<u32, usize> {
    let set = sets.get(1).unwrap();
    let home = |id: u32| {
        let call_id = id.to_string();
        let keys = Keys {
            call_id: Some(call_id.as_bytes()),
            ..INVITE
        };
        place(&select(set, 100, &keys, NO_DEFAULT).unwrap().destination)
    };
    (0..4_000).map(|id| (id, home(id))).collect()
}

#[test]
fn rendezvous_moves_only_the_share_of_who_goes() {
    let sets = plain(8);
    let before = homes(&sets);
    mark(&sets, 3, Flags::INACTIVE);
    let without = homes(&sets);
    let mut heirs = [0; 8];
    for (id, home) in &before {
        if *home == 3 {
            heirs[without[id]] += 1;
        } else {
            assert_eq!(without[id], *home);
        }
    }
    assert_eq!(heirs[3], 0);
    let all_inherit = (0..8)
        .filter(|&place| place != 3)
        .all(|place| heirs[place] > 30);
    assert!(all_inherit, "{heirs:?}");
    mark(&sets, 3, 0);
    assert_eq!(homes(&sets), before);
}

#[test]
fn rendezvous_does_not_mind_the_order_of_the_list_nor_new_lines_in_it() {
    let before = homes(&plain(6));
    let lines = [3, 0, 5, 1, 4, 2].map(|place| format!("1 sip:10.0.0.1:500{place}\n"));
    assert_eq!(homes(&load(&lines.concat())), before);
    let grown = homes(&plain(7));
    assert!(
        before
            .iter()
            .all(|(id, home)| grown[id] == *home || grown[id] == 6)
    );
}

#[test]
fn rendezvous_keeps_weights() {
    let sets = weighted("weight", &[60, 30, 10]);
    let mut counts = [0_u32; 3];
    for home in homes(&sets).into_values() {
        counts[home] += 1;
    }
    let near = |count: u32, expected: u32| count.abs_diff(expected) < 140;
    assert!(
        near(counts[0], 2_400) && near(counts[1], 1_200) && near(counts[2], 400),
        "{counts:?}"
    );
}

#[test]
fn rendezvous_fails_over_to_where_the_call_would_go_without_the_first() {
    let sets = plain(5);
    let tried = order(&sets, 100, NO_DEFAULT);
    let mut sorted = tried.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [0, 1, 2, 3, 4]);
    for failed in 0..4 {
        mark(&sets, tried[failed], Flags::INACTIVE);
        assert_eq!(choose(&sets, 100, NO_DEFAULT), Ok(tried[failed + 1]));
    }
    mark(&sets, tried[0], 0);
    assert_eq!(
        order(&sets, 100, USE_DEFAULT).last(),
        Some(&4),
        "the default comes last"
    );
}

#[test]
fn smooth_weights_are_exact_for_many_and_follow_the_states() {
    for (algorithm, name) in [(109, "weight"), (111, "rweight")] {
        let weights: Vec<u32> = (0..40).map(|place| place * 7 % 30 + 1).collect();
        let sets = weighted(name, &weights);
        let sum = weights.iter().sum();
        assert_eq!(counts(&sets, algorithm, sum, NO_DEFAULT), weights);
        mark(&sets, 5, Flags::INACTIVE);
        let mut without = weights.clone();
        without[5] = 0;
        let rest = sum - weights[5];
        assert_eq!(counts(&sets, algorithm, rest, NO_DEFAULT), without);
        mark(&sets, 5, 0);
        let mut regular = weights.clone();
        let of_default = regular.pop().unwrap();
        regular.push(0);
        assert_eq!(
            counts(&sets, algorithm, sum - of_default, USE_DEFAULT),
            regular
        );
    }
}

#[test]
fn without_any_weight_smooth_weight_is_round_robin() {
    let sets = plain(3);
    assert_eq!(counts(&sets, 109, 300, NO_DEFAULT), [100, 100, 100]);
    assert_eq!(counts(&sets, 111, 300, USE_DEFAULT), [150, 150, 0]);
}

#[test]
fn latency_never_takes_a_priority_down_to_none() {
    // By place: the one of a priority, however slow, stays before those without.
    let sets = numbered(2, |place| ["0 10", "0 0"][place].to_owned());
    set_latency(&sets, 0, 1_000_000);
    let turns = [(); 3].map(|()| order(&sets, 13, NO_DEFAULT));
    assert_eq!(turns, [[0, 1], [0, 1], [0, 1]]);
}

#[test]
fn when_latency_finds_nobody_the_rotation_begins_anew() {
    let sets = numbered(3, |_| "0 50".to_owned());
    assert_eq!(choose(&sets, 13, NO_DEFAULT), Ok(0));
    for flags in [Flags::INACTIVE, 0] {
        (0..3).for_each(|place| mark(&sets, place, flags));
        let chosen = choose(&sets, 13, NO_DEFAULT);
        assert_eq!(chosen.is_ok(), flags == 0);
        assert!(chosen.is_err() || chosen == Ok(0), "{chosen:?}");
    }
}

#[test]
fn the_limit_holds_in_orders_of_rank_too() {
    let sets = plain(5);
    for algorithm in [13, 100] {
        for (limit, tried) in [(0, 5), (1, 1), (3, 3), (9, 5)] {
            let options = SelectOptions {
                limit,
                ..NO_DEFAULT
            };
            assert_eq!(order(&sets, algorithm, options).len(), tried);
        }
    }
}

#[test]
fn from_the_default_failover_goes_to_all_who_are_back() {
    for algorithm in [8, 13] {
        let sets = plain(4);
        (0..3).for_each(|place| mark(&sets, place, Flags::INACTIVE));
        let set = sets.get(1).unwrap();
        let mut selection = select(set, algorithm, &INVITE, USE_DEFAULT).unwrap();
        assert_eq!(place(&selection.destination), 3);
        (0..3).for_each(|place| mark(&sets, place, 0));
        let rest = std::iter::from_fn(|| selection.candidates.next(set));
        let rest: Vec<_> = rest.map(|(one, _)| place(&one)).collect();
        assert_eq!(rest, [0, 1, 2], "algorithm {algorithm}");
    }
}

#[test]
fn overload_control_passes_over_who_is_out() {
    let sets = plain(3);
    mark(&sets, 1, Flags::INACTIVE);
    mark(&sets, 2, Flags::DISABLED);
    assert_eq!(counts(&sets, 64, 10, NO_DEFAULT), [10, 0, 0]);
}
