//! How much memory decoding a model would take, found out before any is taken.
//!
//! On the wire an empty message costs two bytes, and a small number in a list one; decoded, they cost a structure and eight
//! bytes. So a megabyte of empty nodes would become hundreds. This walks over the wire with the schema in hand and adds
//! up what [`super::decode`] would allocate.

use super::schema::{AttributeProto, DimensionProto, NodeProto, OperatorSetIdProto, TensorProto, ValueInfoProto};
use prost::encoding::{WireType, decode_key, decode_varint};
use std::mem::size_of;

/// What any graph may take whatever its file's size: a small graph's nodes weigh more than its weights.
const ALLOWED_ANYWAY: u64 = 1 << 20;

/// A list grows by doubling.
const GROWTH: u64 = 2;

/// The messages that are decoded.
#[derive(Clone, Copy)]
enum Message {
    Model,
    OperatorSet,
    Graph,
    Node,
    Attribute,
    Tensor,
    ValueInfo,
    Type,
    TensorType,
    Shape,
    Dimension,
}

/// What a field costs besides what lies inside it.
#[derive(Clone, Copy)]
enum Field {
    /// A message inside its parent, or a list's element of so many bytes.
    Message(Message, u64),
    /// Bytes or text, and so many bytes for the list's element that holds them.
    Bytes(u64),
    /// A list of numbers of so many bytes each.
    Numbers(u64),
    /// A number inside its parent.
    Number,
}

const LIST_OF_BYTES: Field = Field::Bytes(size_of::<Vec<u8>>() as u64);

impl Message {
    /// A field that is decoded; others are skipped, which takes no memory. Numbers are the schema's.
    fn field(self, number: u32) -> Option<Field> {
        let list = |message, size: usize| Some(Field::Message(message, size as u64));
        let single = |message| Some(Field::Message(message, 0));
        match (self, number) {
            (Self::Model, 7) => single(Self::Graph),
            (Self::Model, 8) => list(Self::OperatorSet, size_of::<OperatorSetIdProto>()),
            (Self::Graph, 1) => list(Self::Node, size_of::<NodeProto>()),
            (Self::Graph, 5) => list(Self::Tensor, size_of::<TensorProto>()),
            (Self::Graph, 11 | 12) => list(Self::ValueInfo, size_of::<ValueInfoProto>()),
            (Self::Node, 5) => list(Self::Attribute, size_of::<AttributeProto>()),
            (Self::Attribute, 5) => single(Self::Tensor),
            (Self::ValueInfo, 2) => single(Self::Type),
            (Self::Type, 1) => single(Self::TensorType),
            (Self::TensorType, 2) => single(Self::Shape),
            (Self::Shape, 1) => list(Self::Dimension, size_of::<DimensionProto>()),
            (Self::Model, 2 | 3)
            | (Self::OperatorSet | Self::ValueInfo | Self::Attribute, 1)
            | (Self::Graph | Self::Dimension, 2)
            | (Self::Node, 3 | 4 | 7)
            | (Self::Attribute, 4 | 6 | 22)
            | (Self::Tensor, 8 | 9) => Some(Field::Bytes(0)),
            (Self::Model, 20 | 25)
            | (Self::Graph, 15)
            | (Self::Node, 1 | 2)
            | (Self::Attribute, 10 | 11 | 23)
            | (Self::Tensor, 13) => Some(LIST_OF_BYTES),
            (Self::Tensor, 1 | 7) | (Self::Attribute, 8) => Some(Field::Numbers(8)),
            (Self::Tensor, 4) | (Self::Attribute, 7) => Some(Field::Numbers(4)),
            _ => Some(Field::Number),
        }
    }
}

/// Checks that decoding a serialised model takes at most twice the memory that its bytes take.
///
/// # Errors
/// What is wrong with it, to be shown behind the file's name.
pub(super) fn check(bytes: &[u8]) -> Result<(), String> {
    let allowed = 2 * bytes.len() as u64 + ALLOWED_ANYWAY;
    let mut budget = Budget { left: allowed };
    budget.message(Message::Model, bytes).map_err(|refusal| match refusal {
        Refusal::TooMuch => {
            format!("would need more than {} KB of memory for {} KB of graph", allowed >> 10, bytes.len() >> 10)
        }
        Refusal::Malformed => "is not an ONNX model (its fields do not add up)".to_owned(),
    })
}

enum Refusal {
    TooMuch,
    Malformed,
}

struct Budget {
    left: u64,
}

impl Budget {
    fn take(&mut self, bytes: u64) -> Result<(), Refusal> {
        self.left = self.left.checked_sub(bytes).ok_or(Refusal::TooMuch)?;
        Ok(())
    }

    fn message(&mut self, message: Message, mut bytes: &[u8]) -> Result<(), Refusal> {
        while !bytes.is_empty() {
            let (number, wire) = decode_key(&mut bytes).map_err(|_| Refusal::Malformed)?;
            let field = message.field(number);
            let numbers = if let Some(Field::Numbers(size)) = field { size } else { 0 };
            match wire {
                WireType::Varint => {
                    self.take(GROWTH * numbers)?;
                    decode_varint(&mut bytes).map_err(|_| Refusal::Malformed)?;
                }
                WireType::ThirtyTwoBit | WireType::SixtyFourBit => {
                    self.take(GROWTH * numbers)?;
                    let width = if wire == WireType::ThirtyTwoBit { 4 } else { 8 };
                    bytes = bytes.get(width..).ok_or(Refusal::Malformed)?;
                }
                WireType::LengthDelimited => {
                    let length = decode_varint(&mut bytes).map_err(|_| Refusal::Malformed)?;
                    let length = usize::try_from(length).map_err(|_| Refusal::Malformed)?;
                    let (inside, rest) = bytes.split_at_checked(length).ok_or(Refusal::Malformed)?;
                    match field {
                        Some(Field::Message(inner, size)) => {
                            self.take(GROWTH * size)?;
                            self.message(inner, inside)?;
                        }
                        Some(Field::Bytes(size)) => self.take(GROWTH * size + length as u64)?,
                        // A varint ends with a byte below 128; a float has four bytes.
                        Some(Field::Numbers(8)) => {
                            let count = inside.iter().filter(|&&byte| byte < 0x80).count() as u64;
                            self.take(GROWTH * 8 * count)?;
                        }
                        Some(Field::Numbers(_)) => self.take(GROWTH * length as u64)?,
                        Some(Field::Number) | None => {}
                    }
                    bytes = rest;
                }
                // Groups are of an older protobuf; no ONNX writer makes them.
                WireType::StartGroup | WireType::EndGroup => return Err(Refusal::Malformed),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::encoding::{encode_key, encode_varint};

    /// A field of this number around some bytes.
    fn wrapped(number: u32, inside: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode_key(number, WireType::LengthDelimited, &mut bytes);
        encode_varint(inside.len() as u64, &mut bytes);
        bytes.extend_from_slice(inside);
        bytes
    }

    fn model(graph: &[u8]) -> Vec<u8> {
        wrapped(7, graph)
    }

    #[test]
    fn a_megabyte_of_empty_messages_is_refused_in_every_list() {
        let empty = |number: u32| wrapped(number, &[]).repeat(1 << 19);
        let node = |inside: &[u8]| wrapped(1, inside);
        let attribute = |inside: &[u8]| node(&wrapped(5, inside));
        let tensor = |inside: &[u8]| wrapped(5, inside);
        let shape = |inside: &[u8]| wrapped(11, &wrapped(2, &wrapped(1, &wrapped(2, inside))));
        let ones = vec![1; 1 << 20];
        for (what, bytes) in [
            ("nodes", model(&empty(1))),
            ("initialisers", model(&empty(5))),
            ("inputs", model(&empty(11))),
            ("outputs", model(&empty(12))),
            ("sparse initialisers", model(&empty(15))),
            ("names of a node's inputs", model(&node(&empty(1)))),
            ("names of a node's outputs", model(&node(&empty(2)))),
            ("attributes", model(&node(&empty(5)))),
            ("tensors of an attribute", model(&attribute(&empty(10)))),
            ("integers of an attribute", model(&attribute(&[8 << 3, 1].repeat(1 << 19)))),
            ("packed integers of an attribute", model(&attribute(&wrapped(8, &ones)))),
            ("dimensions of a tensor", model(&tensor(&wrapped(1, &ones)))),
            ("integers of a tensor", model(&tensor(&wrapped(7, &ones)))),
            ("external data", model(&tensor(&empty(13)))),
            ("axes", model(&shape(&empty(1)))),
            ("operator sets", empty(8)),
            ("functions", [wrapped(25, &[]), vec![]].concat().repeat(1 << 19)),
        ] {
            let refusal = check(&bytes).expect_err(what);
            assert!(refusal.contains("KB of memory"), "{what}: {refusal}");
            assert_eq!(super::super::decode(&bytes).expect_err(what), refusal);
        }
    }

    #[test]
    fn weights_cost_what_they_weigh() {
        assert!(check(&model(&wrapped(5, &wrapped(9, &vec![0; 4 << 20])))).is_ok());
        assert!(check(&model(&wrapped(5, &wrapped(4, &vec![0; 4 << 20])))).is_ok());
    }

    #[test]
    fn lengths_beyond_the_end_are_refused() {
        let mut bytes = model(&wrapped(1, b"node"));
        for length in 1..bytes.len() {
            assert!(check(&bytes[..length]).is_err(), "{length}");
        }
        bytes[1] = 0xff;
        assert!(check(&bytes).is_err());
        assert!(check(&[7 << 3 | 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]).is_err());
    }
}
