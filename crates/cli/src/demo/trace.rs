//! A trace of a real shop: a CSV file with a line for each line of an invoice.

use super::workload::Line;
use anabranch::names;
use anyhow::{Context, anyhow, bail};
use csv::StringRecord;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// What a member of a set and an item of a cart may have, in bytes.
const LONGEST: usize = anabranch::resolvers::operation::MAX_ITEM_BYTES;

/// Reads a trace. Columns may come in any order, and others may be among them.
///
/// # Errors
/// What is wrong, with the file and the line.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Line>> {
    let file = File::open(path).with_context(|| format!("cannot open the trace {}", path.display()))?;
    parse(file).with_context(|| format!("the trace {} cannot be used", path.display()))
}

/// Where the columns are.
struct Columns {
    invoice: usize,
    stock_code: usize,
    quantity: usize,
    customer: usize,
    country: usize,
}

fn parse(input: impl Read) -> anyhow::Result<Vec<Line>> {
    let mut reader = csv::Reader::from_reader(input);
    let columns = Columns::find(reader.headers()?)?;
    let mut lines = Vec::new();
    let mut record = StringRecord::new();
    while reader.read_record(&mut record)? {
        let number = record.position().map_or(0, csv::Position::line);
        lines.push(columns.line(&record).with_context(|| format!("line {number}"))?);
    }
    Ok(lines)
}

impl Columns {
    fn find(header: &StringRecord) -> anyhow::Result<Self> {
        let find = |name: &str| {
            let found = header.iter().position(|column| column == name);
            found.ok_or_else(|| anyhow!("line 1: there is no column {name}"))
        };
        Ok(Self {
            invoice: find("invoice")?,
            stock_code: find("stock_code")?,
            quantity: find("quantity")?,
            customer: find("customer_id")?,
            country: find("country")?,
        })
    }

    fn line(&self, record: &StringRecord) -> anyhow::Result<Line> {
        let key = |column: usize, name: &str| {
            let text = record.get(column).unwrap_or_default();
            names::check_key(text).with_context(|| format!("{name} {text:?}"))?;
            anyhow::Ok(text.to_owned())
        };
        let quantity = record.get(self.quantity).unwrap_or_default();
        let quantity = quantity.parse();
        let customer = record.get(self.customer).filter(|customer| !customer.is_empty());
        if customer.is_some_and(|customer| customer.len() > LONGEST) {
            bail!("customer_id is longer than {LONGEST} bytes");
        }
        Ok(Line {
            invoice: key(self.invoice, "invoice")?,
            stock_code: key(self.stock_code, "stock_code")?,
            quantity: quantity.with_context(|| {
                format!("quantity {:?} is not a whole number of 32 bits", record.get(self.quantity).unwrap_or_default())
            })?,
            customer: customer.map(str::to_owned),
            country: key(self.country, "country")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "invoice,stock_code,description,quantity,invoice_time,unit_price,customer_id,country\n";

    fn problem(text: &str) -> String {
        format!("{:#}", parse(text.as_bytes()).expect_err("malformed"))
    }

    #[test]
    fn lines_are_read() {
        let text = format!(
            "{HEADER}1,82567,\"LOUNGE, \"\"METAL\"\"\nSIGN\",2,2010-12-01T09:41:00,2.1,15311,United Kingdom\r\n\
             C2,X,,-3,,,,EIRE"
        );
        let lines = parse(text.as_bytes()).expect("sound");
        let told: Vec<_> = lines
            .iter()
            .map(|line| (&*line.invoice, &*line.stock_code, line.quantity, line.customer.as_deref(), &*line.country))
            .collect();
        assert_eq!(told, [("1", "82567", 2, Some("15311"), "United Kingdom"), ("C2", "X", -3, None, "EIRE")]);
    }

    #[test]
    fn columns_may_come_in_any_order() {
        let lines = parse("country,quantity,customer_id,stock_code,invoice\nEIRE,5,,a,1\n".as_bytes()).expect("sound");
        assert_eq!((lines.len(), lines[0].quantity, &*lines[0].stock_code), (1, 5, "a"));
    }

    #[test]
    fn an_empty_trace_has_no_lines() {
        assert_eq!(parse(HEADER.as_bytes()).expect("sound"), []);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        assert_eq!(problem("invoice,quantity\n1,2\n"), "line 1: there is no column stock_code");
        assert_eq!(problem(""), "line 1: there is no column invoice");
        let found = problem(&format!("{HEADER}1,a,,1,,,,EIRE\n1,a,,many,,,,EIRE\n"));
        assert!(found.starts_with("line 3: quantity \"many\" is not a whole number of 32 bits"), "{found}");
        assert!(problem(&format!("{HEADER},a,,1,,,,EIRE\n")).starts_with("line 2: invoice \"\": a key is"));
        let found = problem(&format!("{HEADER}1,a,,1,EIRE\n"));
        assert!(found.contains("line: 2"), "{found}");
    }
}
