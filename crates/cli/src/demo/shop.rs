//! A shop of its own, for when there is no trace: invoices made from a seed.

use super::random::Random;
use super::workload::Line;
use std::collections::VecDeque;

const PRODUCTS: u64 = 400;
const CUSTOMERS: u64 = 300;
const COUNTRIES: [&str; 12] = [
    "Australia",
    "Brazil",
    "France",
    "Germany",
    "India",
    "Ireland",
    "Japan",
    "Netherlands",
    "Singapore",
    "Spain",
    "United Kingdom",
    "United States",
];

/// Lines of invoices, without end: many of few products, some without a customer, some sent back.
pub(super) fn lines(seed: u64) -> impl Iterator<Item = Line> {
    let mut shop = Shop { random: Random::new(seed), invoices: 0, open: VecDeque::new() };
    std::iter::from_fn(move || shop.next_line())
}

struct Shop {
    random: Random,
    invoices: u64,
    open: VecDeque<Line>,
}

impl Shop {
    fn next_line(&mut self) -> Option<Line> {
        while self.open.is_empty() {
            self.next_invoice();
        }
        self.open.pop_front()
    }

    fn next_invoice(&mut self) {
        self.invoices += 1;
        let random = &mut self.random;
        let sent_back = random.below(25) == 0;
        let prefix = if sent_back { "C" } else { "" };
        let invoice = format!("{prefix}{}", 100_000 + self.invoices);
        let customer = random.below(CUSTOMERS);
        // A customer lives in one country.
        let country = COUNTRIES[(customer % COUNTRIES.len() as u64) as usize].to_owned();
        let customer = (random.below(4) > 0).then(|| (10_000 + customer).to_string());
        for _ in 0..=random.below(24) {
            // The lower of two draws: some products sell far better than others.
            let product = random.below(PRODUCTS).min(random.below(PRODUCTS));
            let quantity = 1 + random.below(12) as i32;
            self.open.push_back(Line {
                invoice: invoice.clone(),
                stock_code: (20_000 + product).to_string(),
                quantity: if sent_back { -quantity } else { quantity },
                customer: customer.clone(),
                country: country.clone(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn a_seed_makes_one_shop() {
        let take = |seed| lines(seed).take(500).collect::<Vec<_>>();
        assert_eq!(take(7), take(7));
        assert_ne!(take(7), take(8));
    }

    #[test]
    fn it_has_all_that_a_shop_has() {
        let lines: Vec<Line> = lines(1).take(10_000).collect();
        assert!(lines.iter().all(|line| line.quantity != 0));
        assert!(lines.iter().all(|line| line.invoice.starts_with('C') == (line.quantity < 0)));
        assert!(lines.iter().any(|line| line.quantity < 0));
        assert!(lines.iter().any(|line| line.customer.is_none()));
        let products: BTreeSet<_> = lines.iter().map(|line| &line.stock_code).collect();
        assert!(products.len() > 300);
        let mut homes = BTreeMap::new();
        for line in &lines {
            let Some(customer) = &line.customer else { continue };
            assert_eq!(homes.entry(customer).or_insert(&line.country), &&line.country);
        }
    }
}
