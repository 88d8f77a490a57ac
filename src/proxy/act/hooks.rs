//! Routes of the configuration that run later in the life of a transaction.

use super::Act;
use crate::proxy::core::Core;
use crate::proxy::draft::RouteId;
use crate::proxy::forward::record_route_parameters;
use crate::proxy::outbox::Outbox;
use crate::time::Timestamp;

impl Core {
    /// All branches have failed: the configuration may send the request elsewhere, or answer it.
    pub(in crate::proxy) fn run_failure_route(
        &mut self,
        now: Timestamp,
        index: u32,
        route: RouteId,
        out: &mut Outbox,
    ) {
        self.with_base(index, |core, request, record_routes| {
            let mut act = Act::on_failure(core, now, request, index, out);
            if !record_routes.is_empty() {
                let parameters = record_route_parameters(record_routes);
                act.draft.record_route = Some(act.draft.keep(parameters));
            }
            act.default_failure_route(route);
            act.finish();
        });
    }
}
