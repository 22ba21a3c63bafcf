//! The names of a sheet's cells.

/// Row (from 1) and column (from 0) of `B3`.
pub(super) fn place_of(place: &str) -> Option<(usize, usize)> {
    let place = place.replace('$', "");
    let letters = place.bytes().take_while(u8::is_ascii_alphabetic).take(4).count();
    let column =
        place[..letters].bytes().fold(0usize, |sum, b| sum * 26 + usize::from(b.to_ascii_uppercase() - b'A') + 1);
    Some((place[letters..].parse().ok()?, column.checked_sub(1)?))
}
