//! Labels: places in a program that jumps lead to before it is known where they are.
//!
//! Owns: the places. May touch: memory only. The two instruction sets ([`super::classic`],
//! [`super::extended`]) share them.

/// A place in a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label(usize);

/// The labels of one program.
#[derive(Clone, Debug, Default)]
pub struct Labels(Vec<Option<usize>>);

impl Labels {
    /// A label that is not placed yet.
    pub fn label(&mut self) -> Label {
        self.0.push(None);
        Label(self.0.len() - 1)
    }

    /// Says that a label stands before the instruction of this number.
    ///
    /// # Panics
    /// If it stands somewhere already.
    pub fn place(&mut self, label: Label, at: usize) {
        let place = &mut self.0[label.0];
        assert!(place.is_none(), "a label stands in one place");
        *place = Some(at);
    }

    /// How many instructions a jump skips that stands at `from` and leads to `label`: negative if it
    /// leads back.
    ///
    /// # Panics
    /// If the label was never placed.
    pub fn distance(&self, from: usize, label: Label) -> isize {
        let place = self.0[label.0].expect("every label that is used is placed");
        place as isize - from as isize - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_counts_what_lies_between() {
        let mut labels = Labels::default();
        let (back, ahead) = (labels.label(), labels.label());
        labels.place(back, 2);
        labels.place(ahead, 9);
        assert_eq!(labels.distance(5, ahead), 3);
        assert_eq!(labels.distance(5, back), -4);
        assert_eq!(labels.distance(8, ahead), 0, "the next instruction");
    }

    #[test]
    #[should_panic(expected = "every label that is used is placed")]
    fn a_label_that_stands_nowhere_is_a_fault_of_the_program() {
        let mut labels = Labels::default();
        let label = labels.label();
        labels.distance(0, label);
    }
}
