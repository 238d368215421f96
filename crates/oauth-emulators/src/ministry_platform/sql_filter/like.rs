//! The patterns of `LIKE`: `%`, `_`, `[a-z]`, `[^a-z]`, and an escape character.

pub(super) struct Pattern(Vec<Piece>);

enum Piece {
    /// `%`: as many characters as there are.
    Many,
    /// `_`
    One,
    /// `[…]`, or a character that stands for itself.
    Set {
        ranges: Vec<(char, char)>,
        negated: bool,
    },
}

impl Pattern {
    /// Letters match in either case.
    pub(super) fn new(pattern: &str, escape: Option<char>) -> Self {
        let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
        let mut pieces = Vec::new();
        let mut rest = pattern.as_slice();
        while let [first, after @ ..] = rest {
            rest = after;
            pieces.push(match (*first, after) {
                (c, [next, after @ ..]) if Some(c) == escape => {
                    rest = after;
                    Piece::is(*next)
                }
                ('%', _) => Piece::Many,
                ('_', _) => Piece::One,
                // Without its end, a bracket is a set of nothing.
                ('[', _) => {
                    let end = after.iter().position(|c| *c == ']').unwrap_or(after.len());
                    rest = after.get(end + 1..).unwrap_or_default();
                    Piece::set(&after[..end])
                }
                (c, _) => Piece::is(c),
            });
        }
        Self(pieces)
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.to_lowercase().chars().collect();
        // Whether the pieces so far can end before each character, and after the last.
        let mut ends = vec![false; text.len() + 1];
        ends[0] = true;
        for piece in &self.0 {
            if matches!(piece, Piece::Many) {
                let from = ends.iter().position(|end| *end).unwrap_or(ends.len());
                ends[from..].fill(true);
                continue;
            }
            for at in (0..text.len()).rev() {
                ends[at + 1] = ends[at] && piece.fits(text[at]);
            }
            ends[0] = false;
        }
        ends[text.len()]
    }
}

impl Piece {
    fn is(c: char) -> Self {
        Self::Set {
            ranges: vec![(c, c)],
            negated: false,
        }
    }

    fn set(mut inner: &[char]) -> Self {
        let negated = inner.first() == Some(&'^');
        if negated {
            inner = &inner[1..];
        }
        let mut ranges = Vec::new();
        while let [first, after @ ..] = inner {
            let last;
            (last, inner) = match after {
                ['-', last, after @ ..] => (last, after),
                _ => (first, after),
            };
            ranges.push((*first, *last));
        }
        Self::Set { ranges, negated }
    }

    fn fits(&self, c: char) -> bool {
        match self {
            Self::Many | Self::One => true,
            Self::Set { ranges, negated } => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *negated
            }
        }
    }
}
