//! How many instructions the path of a message takes, in pieces and as a whole: the same on every run,
//! whatever else the machine does. `benches/gate` compares them with the record in `instructions.txt`.
//!
//! What is set up is not counted, and what is measured is returned, so that its end is not counted
//! either.

#![allow(
    missing_docs,
    reason = "gungraun's macros make public items without documentation"
)]

use gungraun::{
    Callgrind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use instructions::calls::{CALL, INVITE, Next, RINGING, Route};
use instructions::pieces::{Choice, Splice, Table, Text};
use sipshard::proxy::RelayMode;

#[library_benchmark]
#[bench::invite(setup = Text::invite)]
fn scan(mut text: Text) -> Text {
    text.scan();
    text
}

#[library_benchmark]
#[bench::invite(setup = Splice::invite)]
fn splice(mut splice: Splice) -> Splice {
    splice.edit();
    splice
}

#[library_benchmark]
#[bench::call_id_hash_of_10(args = (0, 10), setup = Choice::new)]
#[bench::round_robin_of_10(args = (4, 10), setup = Choice::new)]
#[bench::call_load_of_10(args = (10, 10), setup = Choice::new)]
#[bench::call_load_of_10000(args = (10, 10_000), setup = Choice::new)]
fn select_100(mut choice: Choice) -> Choice {
    choice.choose();
    choice
}

#[library_benchmark]
#[bench::of_1000(setup = Table::empty_handed)]
fn table_insert_100(mut table: Table) -> Table {
    table.insert();
    table
}

#[library_benchmark]
#[bench::of_1000(setup = Table::full)]
fn table_find_100(mut table: Table) -> Table {
    table.find();
    table
}

#[library_benchmark]
#[bench::of_1000(setup = Table::full)]
fn table_remove_100(mut table: Table) -> Table {
    table.remove();
    table
}

#[library_benchmark]
#[bench::invite(args = (Route::BuiltIn, RelayMode::Stateless, INVITE), setup = Next::new)]
#[bench::ringing(args = (Route::BuiltIn, RelayMode::Stateless, RINGING), setup = Next::new)]
#[bench::call(args = (Route::BuiltIn, RelayMode::Stateless, CALL), setup = Next::new)]
fn stateless(mut next: Box<Next>) -> Box<Next> {
    next.receive();
    next
}

#[library_benchmark]
#[bench::invite(args = (Route::BuiltIn, RelayMode::Stateful, INVITE), setup = Next::new)]
#[bench::ringing(args = (Route::BuiltIn, RelayMode::Stateful, RINGING), setup = Next::new)]
#[bench::call(args = (Route::BuiltIn, RelayMode::Stateful, CALL), setup = Next::new)]
fn stateful(mut next: Box<Next>) -> Box<Next> {
    next.receive();
    next
}

#[library_benchmark]
#[bench::stateless_invite(args = (Route::Sample, RelayMode::Stateless, INVITE), setup = Next::new)]
#[bench::stateless_call(args = (Route::Sample, RelayMode::Stateless, CALL), setup = Next::new)]
#[bench::stateful_invite(args = (Route::Sample, RelayMode::Stateful, INVITE), setup = Next::new)]
#[bench::stateful_call(args = (Route::Sample, RelayMode::Stateful, CALL), setup = Next::new)]
fn script(mut next: Box<Next>) -> Box<Next> {
    next.receive();
    next
}

library_benchmark_group!(
    name = path,
    benchmarks = [
        scan,
        splice,
        select_100,
        table_insert_100,
        table_find_100,
        table_remove_100,
        stateless,
        stateful,
        script
    ]
);
main!(
    config = LibraryBenchmarkConfig::default().tool(Callgrind::with_args(["--cache-sim=no"])),
    library_benchmark_groups = path
);
