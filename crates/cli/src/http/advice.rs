//! What state survives a refusal, and what to do next.

const UNCHANGED: &str = "nothing was changed";

/// What survives, and what to do, for a problem's code.
pub(crate) fn of(code: &str) -> (&'static str, &'static str) {
    match code {
        "no-such-collection" => {
            (UNCHANGED, "`anabranch collection list` shows what there is, `collection create` makes one")
        }
        "no-such-key" => (UNCHANGED, "if it was written elsewhere a moment ago, send that answer's token: --token"),
        "bad-token" | "wrong-cluster-token" | "token-unreachable" => {
            (UNCHANGED, "begin a new session: leave --token out, or remove the token file")
        }
        "bad-context" => (UNCHANGED, "`anabranch get` shows the key's current context"),
        "bad-idempotency-key" => (UNCHANGED, "write it as UUIDv7/N, with N = 1, 2, 3, ..."),
        "idempotency-key-reused" => (UNCHANGED, "a key names one request for ever: take the next number"),
        "idempotency-key-expired" => (UNCHANGED, "begin a new session: another UUIDv7"),
        "resolver-mismatch" => (UNCHANGED, "the collection keeps its kind: choose another name, or its own resolver"),
        "not-supported" | "rejected" | "overflow" | "slot-taken" => {
            (UNCHANGED, "`anabranch op --help` shows the operations; `anabranch get` the value as it is")
        }
        "conflict-open" => {
            (UNCHANGED, "`anabranch explain` shows the versions; write with the --context that `get` shows")
        }
        "conflict-changed" => (UNCHANGED, "`anabranch conflicts show` shows the conflict as it is now: decide again"),
        "already-resolved" | "no-such-conflict" => {
            (UNCHANGED, "`anabranch conflicts list` shows what is open, `conflicts history` who decided what")
        }
        "too-large" => (UNCHANGED, "a request has at most 1 MiB: write less at a time"),
        "too-many-requests" => (UNCHANGED, "try again in a moment, or ask another node with --url"),
        "not-writable" => {
            ("nothing was changed; reads go on", "see the reason above; another leader takes writes: --url")
        }
        "parked" => (
            "the collection's data is safe in the log, and will be applied",
            "a newer version of the program may know what this one cannot apply; another node may too: --url",
        ),
        "not-ready" => (
            "nothing was changed, unless the detail says otherwise",
            "try again in a moment, or ask another node with --url",
        ),
        "token-not-reached" => (
            "nothing was changed; what the token names is on its way",
            "try again, allow more time with --wait, or ask the node that gave the token",
        ),
        "ack-not-reached" => (
            "the write is on the leader's disk and will reach the others",
            "do not send it again; `anabranch status` shows how far the peers are",
        ),
        "internal" => (
            "what was acknowledged is on disk; whether this request took effect is unknown",
            "the node's log says more under the request id; a write with an --idempotency-key can be sent again",
        ),
        _ => (UNCHANGED, "check the command: --help shows examples"),
    }
}
