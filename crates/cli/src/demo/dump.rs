//! What came out, as CSV files that anybody can check.

use super::contents::{CARTS, CUSTOMERS, Cell, Contents, STOCK};
use anyhow::Context;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

/// Writes `stock.csv`, `carts.csv` and `customers.csv`, sorted by their columns as bytes. The directory is made if need
/// be; other files in it stay.
///
/// # Errors
/// What could not be written.
pub(super) fn write(dir: &Path, contents: &Contents) -> anyhow::Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make the directory {}", dir.display()))?;
    let file = |name: &str, header: &[&str], rows: Vec<Vec<String>>| {
        let path = dir.join(name);
        let written = File::create(&path).map_err(anyhow::Error::from);
        let written = written.and_then(|file| table(BufWriter::new(file), header, rows));
        written.with_context(|| format!("cannot write {}", path.display()))
    };
    file("stock.csv", &["stock_code", "value"], stock(contents))?;
    file("carts.csv", &["invoice", "item", "quantity"], carts(contents))?;
    file("customers.csv", &["country", "customer_id"], customers(contents))
}

fn table(output: impl Write, header: &[&str], rows: Vec<Vec<String>>) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_writer(output);
    writer.write_record(header)?;
    for row in rows {
        writer.write_record(row)?;
    }
    writer.flush()?;
    Ok(())
}

// Cells are in the order of their bytes already.

fn stock(contents: &Contents) -> Vec<Vec<String>> {
    contents.of(STOCK).map(|(cell, sum)| vec![cell.key.clone(), sum.to_string()]).collect()
}

fn carts(contents: &Contents) -> Vec<Vec<String>> {
    let shown = contents.of(CARTS).filter(|(_, quantity)| *quantity > 0);
    shown.map(|(Cell { key, part, .. }, quantity)| vec![key.clone(), part.clone(), quantity.to_string()]).collect()
}

fn customers(contents: &Contents) -> Vec<Vec<String>> {
    contents.of(CUSTOMERS).map(|(cell, _)| vec![cell.key.clone(), cell.part.clone()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_sorted_with_a_header_and_without_debts() {
        let mut contents = Contents::default();
        for (code, sum) in [("b", -1), ("B", 0), ("a,\"1\"", 7)] {
            contents.put(Cell::new(STOCK, code, ""), sum);
        }
        for (invoice, item, quantity) in
            [("2", "x", 1), ("10", "y", 3), ("10", "é", 2), ("10", "z", 0), ("C1", "x", -2)]
        {
            contents.put(Cell::new(CARTS, invoice, item), quantity);
        }
        contents.put(Cell::new(CUSTOMERS, "United Kingdom", "17850"), 1);
        contents.put(Cell::new(CUSTOMERS, "EIRE", "9"), 1);
        contents.put(Cell::new(CUSTOMERS, "EIRE", "10"), 1);

        let dir = tempfile::tempdir().expect("a directory");
        let dir = dir.path().join("new").join("out");
        for _ in 0..2 {
            write(&dir, &contents).expect("written, again too");
        }
        let read = |name| fs::read_to_string(dir.join(name)).expect("readable");
        assert_eq!(read("stock.csv"), "stock_code,value\nB,0\n\"a,\"\"1\"\"\",7\nb,-1\n");
        assert_eq!(read("carts.csv"), "invoice,item,quantity\n10,y,3\n10,é,2\n2,x,1\n");
        assert_eq!(read("customers.csv"), "country,customer_id\nEIRE,10\nEIRE,9\nUnited Kingdom,17850\n");
    }
}
