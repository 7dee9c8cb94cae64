//! Numbers that look drawn and are the same in each run.

/// What SplitMix64 adds to its state from one number to the next.
pub const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// What SplitMix64 draws first when it begins with that number: another for each.
pub fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(STEP);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Some number below `count`, far from that of the last number.
pub fn spread(number: u64, count: u64) -> u64 {
    number.wrapping_mul(STEP) % count
}
