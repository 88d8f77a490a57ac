//! What a load makes of a list, and what carries over to the next.

use super::*;
use crate::dispatch::list;

fn entries(list: &str) -> Vec<Entry> {
    list::parse(list.as_bytes()).unwrap().into_entries()
}

fn load(list: &str) -> Sets {
    Sets::build(entries(list), None, 1)
}

fn reload(before: &Sets, list: &str) -> Sets {
    Sets::build(entries(list), Some(before), before.version() + 1)
}

fn uris(set: &Set) -> Vec<&str> {
    set.destinations.iter().map(|d| &*d.uri).collect()
}

/// Letters and calls of the first destination of set 1.
fn first(sets: &Sets) -> (&'static str, u32) {
    let first = &sets.get(1).unwrap().destinations[0];
    (first.health().flags.letters(), first.active_calls())
}

#[test]
fn without_priorities_the_last_line_comes_first() {
    let sets = load("1 sip:a\n1 sip:b\n1 sip:c\n");
    assert_eq!(uris(sets.get(1).unwrap()), ["sip:c", "sip:b", "sip:a"]);
}

#[test]
fn bigger_priorities_come_first_and_equals_in_reverse() {
    let sets = load("1 sip:a 0 1\n1 sip:b 0 5\n1 sip:c\n1 sip:d 0 5\n1 sip:e 0 1\n");
    assert_eq!(
        uris(sets.get(1).unwrap()),
        ["sip:d", "sip:b", "sip:e", "sip:a", "sip:c"]
    );
}

#[test]
fn sets_are_found_by_number() {
    let sets = load("5 sip:a\n0 sip:b\n5 sip:c\n300 sip:d\n");
    let ids: Vec<SetId> = sets.iter().map(|set| set.id).collect();
    assert_eq!(ids, [0, 5, 300]);
    assert_eq!(uris(sets.get(5).unwrap()), ["sip:c", "sip:a"]);
    assert!(sets.get(1).is_none());
    assert!(Sets::default().get(0).is_none());
    assert_eq!(sets.version(), 1);
}

#[test]
fn destinations_start_with_the_flags_of_their_line() {
    let sets = load("1 sip:a 0\n1 sip:b 9\n1 sip:c 4\n");
    let letters: Vec<_> = sets
        .destinations()
        .map(|d| d.health().flags.letters())
        .collect();
    assert_eq!(letters, ["DX", "IP", "AX"]);
}

#[test]
fn operators_set_states_by_uri_or_all() {
    let sets = load("1 sip:GW.example.com\n1 sip:b\n1 sip:b\n2 sip:b\n");
    let letters = |sets: &Sets| -> Vec<_> {
        sets.destinations()
            .map(|d| d.health().flags.letters())
            .collect()
    };
    let changed = sets.set_state(1, "SIP:gw.EXAMPLE.com", Flags(Flags::INACTIVE));
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].1, Health::default(), "the health before");
    assert_eq!(letters(&sets), ["AX", "AX", "IX", "AX"]);
    assert_eq!(sets.set_state(1, "sip:b", Flags(Flags::PROBING)).len(), 2);
    assert_eq!(letters(&sets), ["AP", "AP", "IX", "AX"]);
    assert_eq!(sets.set_state(1, "all", Flags(0)).len(), 3);
    assert_eq!(letters(&sets), ["AX", "AX", "AX", "AX"]);
    assert_eq!(sets.set_state(1, "sip:none", Flags(0)).len(), 0);
    assert_eq!(sets.set_state(9, "all", Flags(0)).len(), 0);
}

#[test]
fn a_reload_carries_calls_and_state_over_by_duid() {
    let before = load("1 sip:a 0 0 duid=x;maxload=3\n");
    let call = before.get(1).unwrap().destinations[0].try_reserve();
    before.set_state(1, "all", Flags(Flags::DISABLED));

    let after = reload(&before, "1 sip:other 0 7 duid=X;maxload=1\n");
    assert_eq!(first(&after), ("DX", 1));
    assert!(
        after.get(1).unwrap().destinations[0]
            .try_reserve()
            .is_none(),
        "the new maxload counts the old call"
    );
    drop(call);
    assert_eq!(
        first(&after),
        ("DX", 0),
        "an old call ends on the new count"
    );
}

#[test]
fn without_a_duid_state_goes_by_uri_and_by_number_among_equals() {
    let before = load("1 sip:a\n1 sip:b\n1 sip:b\n");
    // In set order the second sip:b comes first.
    before.get(1).unwrap().destinations[0].update_health(|h| h.set(Flags(Flags::INACTIVE)));
    let after = reload(&before, "1 sip:B\n1 sip:B\n1 sip:B\n1 sip:a\n");
    let letters: Vec<_> = after
        .destinations()
        .map(|d| (&*d.uri, d.health().flags.letters()))
        .collect();
    assert_eq!(
        letters,
        [
            ("sip:a", "AX"),
            ("sip:B", "AX"),
            ("sip:B", "IX"),
            ("sip:B", "AX")
        ]
    );
}

#[test]
fn a_line_that_is_given_a_duid_stays_the_same_destination() {
    let before = load("1 sip:a\n");
    before.set_state(1, "all", Flags(Flags::DISABLED));
    let named = reload(&before, "1 sip:a 0 0 duid=x\n");
    assert_eq!(first(&named).0, "DX");
}

#[test]
fn another_set_or_duid_is_another_destination() {
    let before = load("1 sip:a 0 0 duid=x\n");
    before.set_state(1, "all", Flags(Flags::DISABLED));
    assert_eq!(first(&reload(&before, "1 sip:a 0 0 duid=y\n")).0, "AX");
    let moved = reload(&before, "2 sip:a 0 0 duid=x\n");
    let of_set_2 = &moved.get(2).unwrap().destinations[0];
    assert_eq!(of_set_2.health().flags.letters(), "AX");
}

#[test]
fn flags_that_were_changed_in_the_list_override_the_state() {
    let before = load("1 sip:a 8 0 duid=x\n");
    before.set_state(1, "all", Flags(Flags::DISABLED));
    let same = reload(&before, "1 sip:a 8 0 duid=x\n");
    assert_eq!(first(&same).0, "DX");
    let changed = reload(&same, "1 sip:a 0 0 duid=x\n");
    assert_eq!(first(&changed).0, "AX");
}

#[test]
fn a_removed_destination_drains_and_may_come_back() {
    let loaded = load("1 sip:a 0 0 duid=x\n");
    let call = loaded.get(1).unwrap().destinations[0].try_reserve();
    let without = reload(&loaded, "1 sip:b\n");
    let still_without = reload(&without, "1 sip:b\n");
    assert_eq!(still_without.draining().len(), 1);
    assert_eq!(still_without.draining()[0].active_calls(), 1);

    let back = reload(&still_without, "1 sip:a 0 0 duid=x\n");
    assert_eq!(first(&back).1, 1);
    let drained: Vec<_> = back.draining().iter().map(|d| &*d.uri).collect();
    assert_eq!(drained, ["sip:b"], "kept for one load even without calls");

    drop(call);
    let emptied = reload(&reload(&still_without, "1 sip:b\n"), "1 sip:b\n");
    assert_eq!(emptied.draining().len(), 0);
}

#[test]
fn addresses_find_their_destination() {
    let sets = load("2 sip:10.0.0.1\n1 sip:10.0.0.2:5070\n");
    let found = sets.find_address("10.0.0.2:5070".parse().unwrap());
    assert_eq!(found.map(|d| d.set), Some(1));
    assert!(
        sets.find_address("10.0.0.2:5060".parse().unwrap())
            .is_none()
    );
}

#[test]
fn duids_find_their_destination() {
    let sets = load("1 sip:a 0 0 duid=gw1\n1 sip:b 0 0 duid=gw2\n1 sip:c\n");
    let set = sets.get(1).unwrap();
    assert_eq!(&*set.by_duid("GW2").unwrap().uri, "sip:b");
    assert!(set.by_duid("gw3").is_none());
}

#[test]
fn with_compat_states_begin_anew_and_commands_keep_counters() {
    let entries = || entries("1 sip:10.0.0.1");
    for compat in [true, false] {
        let options = |version| BuildOptions {
            version,
            compat,
            ..BuildOptions::default()
        };
        let before = Sets::build_with(entries(), None, &options(1));
        let destination = before.destinations().next().unwrap();
        destination.update_health(|_| Health {
            flags: Flags(Flags::TRYING),
            probing_count: 2,
        });
        before.set_state(1, "all", Flags(Flags::INACTIVE));
        let count = destination.health().probing_count;
        assert_eq!(count, if compat { 2 } else { 0 });
        let after = Sets::build_with(entries(), Some(&before), &options(2));
        let letters = after
            .destinations()
            .next()
            .unwrap()
            .health()
            .flags
            .letters();
        assert_eq!(letters, if compat { "AX" } else { "IX" });
    }
}
