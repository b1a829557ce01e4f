//! Undoes, byte by byte, what programs do to texts before they store them.

use super::track::Pos;

/// A byte and where it comes from.
pub type Placed = (u8, Pos);

/// No letter, digit or sign between: what wasn't one stays none.
const BREAK: u8 = 1;

#[derive(Debug, Clone)]
pub enum Decoder {
    Json(Escape),
    /// `%20`, and `+` for a space.
    Percent(Pending),
    QuotedPrintable(Pending),
    Base64 {
        /// Signs of a run that are left out, since nobody knows where in a run a text begins.
        phase: u8,
        skip: u8,
        bits: u32,
        count: u8,
    },
}

/// Where in `\u0041` the stream stands.
#[derive(Debug, Clone, Copy, Default)]
pub struct Escape {
    /// 0: outside; 1: after the backslash; 2 to 5: so many digits are to come, less one.
    state: u8,
    code: u32,
    from: Pos,
}

/// Signs after `%` or `=` that wait for the next.
#[derive(Debug, Clone, Default)]
pub struct Pending(Vec<Placed>);

fn hex(byte: u8) -> Option<u32> {
    char::from(byte).to_digit(16)
}

fn sextet(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

impl Escape {
    fn push(&mut self, (byte, pos): Placed, out: &mut Vec<Placed>) {
        match (self.state, byte) {
            // The other half of a wide character: it is no part of the escape.
            (1.., 0) => {}
            (0, b'\\') => *self = Escape { state: 1, code: 0, from: pos },
            (0, _) => out.push((byte, pos)),
            (1, b'u') => self.state = 2,
            (1, _) => {
                let plain = match byte {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' | b'f' => BREAK,
                    other => other,
                };
                out.push((plain, self.from));
                self.state = 0;
            }
            (digits, _) => match hex(byte) {
                Some(value) => {
                    self.code = self.code << 4 | value;
                    self.state = digits + 1;
                    if self.state == 6 {
                        out.push((u8::try_from(self.code).unwrap_or(BREAK), self.from));
                        self.state = 0;
                    }
                }
                None => {
                    out.extend([(BREAK, self.from), (byte, pos)]);
                    self.state = 0;
                }
            },
        }
    }
}

impl Pending {
    fn push(&mut self, placed: Placed, lead: u8, soft: bool, out: &mut Vec<Placed>) {
        if self.0.is_empty() {
            match placed.0 {
                b if b == lead => self.0.push(placed),
                _ => out.push(placed),
            }
            return;
        }
        if placed.0 == 0 {
            return;
        }
        let from = self.0[0].1;
        // `=` at a line's end joins two lines.
        if soft && placed.0 == b'\n' && (self.0.len() == 1 || self.0[1].0 == b'\r') {
            self.0.clear();
            return;
        }
        self.0.push(placed);
        let [_, first, second @ ..] = self.0.as_slice() else { return };
        match (hex(first.0), second.first().map(|s| hex(s.0))) {
            (Some(_), None) => return,
            (None, None) if soft && first.0 == b'\r' => return,
            (Some(high), Some(Some(low))) => out.push(((high << 4 | low) as u8, from)),
            _ => out.append(&mut self.0),
        }
        self.0.clear();
    }
}

impl Decoder {
    pub fn base64(phase: u8) -> Self {
        Decoder::Base64 { phase, skip: phase, bits: 0, count: 0 }
    }

    pub fn push(&mut self, placed: Placed, out: &mut Vec<Placed>) {
        match self {
            Decoder::Json(escape) => escape.push(placed, out),
            Decoder::Percent(pending) => pending.push(placed, b'%', false, out),
            Decoder::QuotedPrintable(pending) => pending.push(placed, b'=', true, out),
            Decoder::Base64 { phase, skip, bits, count } => match sextet(placed.0) {
                Some(_) if *skip > 0 => *skip -= 1,
                Some(value) => {
                    *bits = (*bits << 6 | value) & 0xffff;
                    *count += 6;
                    if *count >= 8 {
                        *count -= 8;
                        out.push(((*bits >> *count) as u8, placed.1));
                    }
                }
                // Line breaks within it; the zeros of wide characters.
                None if matches!(placed.0, b'\r' | b'\n' | b'\t' | b' ' | 0) => {}
                None => {
                    (*skip, *bits, *count) = (*phase, 0, 0);
                    out.push((BREAK, placed.1));
                }
            },
        }
    }
}
