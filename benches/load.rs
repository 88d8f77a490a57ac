//! The call-load table at a thousand and at a million live calls, with few and with many slots: what
//! a lookup, a whole call and the scan for expired calls cost.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use sipshard::dispatch::{Attributes, Destination, Entry, Flags};
use sipshard::load::{CallTable, Hold, Ownership, Side};
use sipshard::proxy::CallLoadSettings;
use sipshard::rng::Rng;
use sipshard::time::Timestamp;

const START: Timestamp = Timestamp::from_secs(1);

/// A Call-ID of 40 bytes, as unlike its neighbours as usual.
fn call_id(number: u64) -> [u8; 40] {
    let mut text = *b"0123456789abcdef01234567@gw1.example.com";
    let mixed = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    for (i, byte) in text[..24].iter_mut().enumerate() {
        *byte = b"0123456789abcdef"[(mixed >> (4 * i) & 15) as usize];
    }
    text
}

fn gateway() -> Arc<Destination> {
    let entry = Entry {
        set: 1,
        uri: "sip:192.0.2.1".into(),
        flags: Flags::default(),
        priority: 0,
        attributes: Attributes::default(),
        address: None,
    };
    Arc::new(Destination::new(entry, Arc::default()))
}

fn counted(gateway: &Arc<Destination>) -> Hold {
    Hold::Counted(gateway.try_reserve().expect("there is no maxload"))
}

fn table(calls: u64, hash_size: u32, gateway: &Arc<Destination>) -> CallTable {
    let settings = CallLoadSettings {
        hash_size,
        ..CallLoadSettings::default()
    };
    let ownership = Ownership::new(7, hash_size, 1);
    let mut table = CallTable::new(&settings, &ownership, 0, Duration::from_secs(32), 9);
    for number in 0..calls {
        let cell = table
            .insert(&call_id(number), b"caller", 1, counted(gateway), START)
            .expect("there is room");
        table.confirm(cell, b"callee", START);
    }
    table
}

fn benches(criterion: &mut Criterion) {
    criterion.bench_function("owner of a Call-ID", |bench| {
        let ownership = Ownership::new(7, 16, 4);
        let mut number = 0;
        bench.iter(|| {
            number += 1;
            ownership.owner(black_box(&call_id(number)))
        });
    });
    for (calls, name) in [(1_000, "1k"), (1_000_000, "1M")] {
        for hash_size in [8, 16] {
            let gateway = gateway();
            let mut table = table(calls, hash_size, &gateway);
            let label = |what| format!("{what}, {name} calls, ds_hash_size {hash_size}");
            println!("{} bytes a call", table.bytes() as u64 / calls);
            let mut rng = Rng::from_seed(1);
            criterion.bench_function(&label("find"), |bench| {
                bench.iter(|| {
                    let id = call_id(rng.next() % calls);
                    table.find(black_box(&id), b"caller", b"callee")
                });
            });
            let mut number = calls;
            criterion.bench_function(&label("insert, confirm, find, bye, forget"), |bench| {
                bench.iter(|| {
                    number += 1;
                    // A thousand calls a second: 32,000 ended ones linger.
                    let now = START + Duration::from_millis(number - calls);
                    let id = call_id(number);
                    let hold = counted(&gateway);
                    let cell = table.insert(&id, b"caller", 1, hold, now);
                    let cell = cell.expect("there is room");
                    table.confirm(cell, b"callee", now);
                    let found = table.find(&id, b"callee", b"caller");
                    table.bye(cell, Side::Callee, b"callee", b"caller", now);
                    table.bye_answered(cell, Side::Callee, b"callee", b"caller", false, now);
                    found
                });
            });
            criterion.bench_function(&label("scan all slots"), |bench| {
                bench.iter_batched(
                    || (),
                    |()| table.expire_slots(START, 0..u32::MAX, usize::MAX, |_| {}),
                    BatchSize::PerIteration,
                );
            });
        }
    }
}

criterion_group!(all, benches);
criterion_main!(all);
