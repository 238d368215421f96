//! Places for many values of one size, a page at a time: none of them moves when others come, and a
//! page that is empty is given back.

use std::num::NonZeroUsize;

/// Little to get at once, and to keep for the one value that is left.
const PAGE: usize = 256;

/// Where a value is; never 0, so that an `Option` of it is no larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(NonZeroUsize);

#[derive(Debug)]
pub(super) struct Arena<T> {
    pages: Vec<Page<T>>,
    /// The pages that have room; the last is filled first.
    open: Vec<usize>,
}

#[derive(Debug)]
struct Page<T> {
    values: Vec<Option<T>>,
    /// The places that have become free.
    free: Vec<usize>,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self {
            pages: Vec::new(),
            open: Vec::new(),
        }
    }
}

impl<T> Arena<T> {
    pub(super) fn insert(&mut self, value: T) -> Slot {
        let number = self.open.last().copied().unwrap_or_else(|| {
            self.open.push(self.pages.len());
            self.pages.len()
        });
        if number == self.pages.len() {
            self.pages.push(Page::default());
        }
        let page = &mut self.pages[number];
        let place = page.put(value);
        if page.is_full() {
            self.open.pop();
        }
        Slot::new(number, place)
    }

    pub(super) fn remove(&mut self, slot: Slot) -> Option<T> {
        let page = self.pages.get_mut(slot.page())?;
        let was_full = page.is_full();
        let value = page.take(slot.place());
        if was_full && value.is_some() {
            self.open.push(slot.page());
        }
        value
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&T> {
        let page = self.pages.get(slot.page())?;
        page.values.get(slot.place())?.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut T> {
        let page = self.pages.get_mut(slot.page())?;
        page.values.get_mut(slot.place())?.as_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Slot, &T)> {
        let pages = self.pages.iter().enumerate();
        pages.flat_map(|(number, page)| {
            let values = page.values.iter().enumerate();
            values.filter_map(move |(place, it)| Some((Slot::new(number, place), it.as_ref()?)))
        })
    }
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Page<T> {
    fn is_full(&self) -> bool {
        self.values.len() == PAGE && self.free.is_empty()
    }

    /// The place it was put to; there has to be one.
    fn put(&mut self, value: T) -> usize {
        match self.free.pop() {
            Some(place) => {
                self.values[place] = Some(value);
                place
            }
            None => {
                self.values.reserve_exact(PAGE - self.values.len());
                self.values.push(Some(value));
                self.values.len() - 1
            }
        }
    }

    fn take(&mut self, place: usize) -> Option<T> {
        let value = self.values.get_mut(place)?.take()?;
        self.free.push(place);
        if self.free.len() == self.values.len() {
            *self = Self::default();
        }
        Some(value)
    }
}

impl Slot {
    fn new(page: usize, place: usize) -> Self {
        Self(NonZeroUsize::MIN.saturating_add(page * PAGE + place))
    }

    /// The inverse of `number`.
    pub(super) fn numbered(number: u64) -> Option<Self> {
        NonZeroUsize::new(usize::try_from(number).ok()?).map(Self)
    }

    pub(super) fn number(self) -> u64 {
        self.0.get() as u64
    }

    fn page(self) -> usize {
        (self.0.get() - 1) / PAGE
    }

    fn place(self) -> usize {
        (self.0.get() - 1) % PAGE
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    impl<T> Arena<T> {
        /// For how many values there are places.
        pub(crate) fn capacity(&self) -> usize {
            self.pages.iter().map(|page| page.values.capacity()).sum()
        }
    }

    #[test]
    fn a_page_that_is_empty_is_given_back_and_used_again() {
        let mut arena = Arena::default();
        let slots: Vec<_> = (0..3 * PAGE).map(|value| arena.insert(value)).collect();
        assert_eq!(arena.capacity(), 3 * PAGE);
        for slot in &slots[..PAGE] {
            arena.remove(*slot);
        }
        assert_eq!(arena.capacity(), 2 * PAGE);
        for value in 0..PAGE {
            arena.insert(value);
        }
        assert_eq!(arena.capacity(), 3 * PAGE);
        assert_eq!(arena.pages.len(), 3);
    }

    proptest! {
        #[test]
        fn holds_what_a_map_would(steps in prop::collection::vec((0..1_000_usize, 0..3), 0..3_000)) {
            let (mut arena, mut map) = (Arena::default(), HashMap::new());
            let mut slots = Vec::new();
            for (value, what) in steps {
                if what > 0 {
                    let slot = arena.insert(value);
                    prop_assert_eq!(map.insert(slot.0, value), None, "a place of its own");
                    slots.push(slot);
                } else if !slots.is_empty() {
                    let slot = slots.swap_remove(value % slots.len());
                    prop_assert_eq!(arena.remove(slot), map.remove(&slot.0));
                    prop_assert_eq!(arena.get(slot), None);
                }
            }
            prop_assert_eq!(arena.iter().count(), map.len());
            for (slot, value) in arena.iter() {
                prop_assert_eq!(map.get(&slot.0), Some(value));
            }
        }
    }
}
