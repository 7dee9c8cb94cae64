//! One field of a map, seen as a register.

use crate::resolver::{ReadFailed, Row, Rows, VisitRow};

/// The rows of one field, as if they were a register's: under the empty subkey.
pub(crate) struct FieldRows<'a> {
    rows: &'a dyn Rows,
    field: &'a [u8],
}

impl<'a> FieldRows<'a> {
    pub(crate) fn new(rows: &'a dyn Rows, field: &'a [u8]) -> Self {
        Self { rows, field }
    }
}

impl Rows for FieldRows<'_> {
    fn rows(&self, _: Option<&[u8]>, visit: VisitRow<'_>) -> Result<(), ReadFailed> {
        self.rows.rows(Some(self.field), &mut |row| visit(Row { subkey: &[], ..row }))
    }

    fn sum(&self, _: &[u8]) -> Result<Option<Vec<u8>>, ReadFailed> {
        Ok(None)
    }
}
