//! Every body, in the ordinary tests: on its corpus, on what was found, and on a second of mutations.

mod drive;
mod folders;
mod memory;

macro_rules! targets {
    ($($name:ident)*) => {
        /// Every target that has a test here.
        const DRIVEN: &[&str] = &[$(stringify!($name)),*];
        $(
            #[test]
            fn $name() {
                drive::exercise(stringify!($name));
            }
        )*
    };
}

targets! {
    certificate config convergence headers hello hostile json message reply request resolvers stored texts transaction
    transactions
}

#[global_allocator]
static COUNTING: anabranch_fuzzing::meter::Counting = anabranch_fuzzing::meter::Counting;
