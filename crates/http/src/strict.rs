//! JSON as we take it: no member twice, no unknown member, no type bent into another. Wire structs
//! derive `Deserialize` with `deny_unknown_fields`; what is wrong comes back as a field and a reason.

use std::fmt;

use serde::de::value::StringDeserializer;
use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Map, Value};

use crate::fault::{Expected, Fault, Invalid, Reason};

/// Reads a wire struct from a request body.
pub(crate) fn read<T: Deserialize<'static>>(body: &[u8]) -> Result<T, Fault> {
    let unique: Unique = serde_json::from_slice(body).map_err(|_| Fault::MalformedJson)?;
    if let Some(member) = unique.repeated {
        return Err(Fault::Invalid(Invalid { field: member, reason: Reason::Duplicate }));
    }
    if !unique.value.is_object() {
        return Err(Fault::NotAnObject);
    }
    T::deserialize(Strict(unique.value)).map_err(|error| match error {
        WireError::Field(invalid) => Fault::Invalid(invalid),
        // Only what serde itself refuses gets here; our wire structs use no such feature.
        WireError::Reason(reason) => Fault::Invalid(Invalid { field: "body".to_owned(), reason }),
    })
}

/// Reads each item of a list as a wire struct; what is wrong is told with its place.
pub(crate) fn each<T: Deserialize<'static>>(list: &str, items: Vec<Value>) -> Result<Vec<T>, Fault> {
    let one = |(place, item): (usize, Value)| {
        let place = format!("{list}[{place}]");
        if !item.is_object() {
            return Err(Fault::invalid(place, Reason::Type(Expected::Object)));
        }
        T::deserialize(Strict(item)).map_err(|error| match error {
            WireError::Field(Invalid { field, reason }) => Fault::invalid(format!("{place}.{field}"), reason),
            WireError::Reason(reason) => Fault::invalid(place, reason),
        })
    };
    items.into_iter().enumerate().map(one).collect()
}

/// Reads the item `name` of a list as if it were a body of its own.
pub(crate) fn one<T: Deserialize<'static>>(name: &str, item: Value) -> Result<T, Fault> {
    if !item.is_object() {
        return Err(Fault::invalid(name, Reason::Type(Expected::Object)));
    }
    T::deserialize(Strict(item)).map_err(|error| match error {
        WireError::Field(invalid) => Fault::Invalid(invalid),
        WireError::Reason(reason) => Fault::invalid(name, reason),
    })
}

/// How deep a value is nested; a scalar is 0.
pub(crate) fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// A JSON value, and the first member that stands twice in its object.
struct Unique {
    value: Value,
    repeated: Option<String>,
}

impl<'de> de::Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut repeated = None;
        let value = UniqueSeed(&mut repeated).deserialize(deserializer)?;
        Ok(Self { value, repeated })
    }
}

struct UniqueSeed<'a>(&'a mut Option<String>);

impl<'de> DeserializeSeed<'de> for UniqueSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for UniqueSeed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(flag.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(UniqueSeed(self.0))? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(UniqueSeed(self.0))?;
            if map.contains_key(&name) {
                self.0.get_or_insert(name);
            } else {
                map.insert(name, value);
            }
        }
        Ok(Value::Object(map))
    }
}

/// What is wrong, before or after it is known in which field.
#[derive(Debug)]
enum WireError {
    Reason(Reason),
    Field(Invalid),
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body does not fit")
    }
}

impl std::error::Error for WireError {}

impl de::Error for WireError {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Reason(Reason::Form)
    }

    fn unknown_field(field: &str, _: &'static [&'static str]) -> Self {
        Self::Field(Invalid { field: field.to_owned(), reason: Reason::Unknown })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Field(Invalid { field: field.to_owned(), reason: Reason::Missing })
    }
}

/// A deserializer that converts nothing.
struct Strict(Value);

macro_rules! typed {
    ($($method:ident, $expected:ident, $pattern:pat => $visit:expr;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
            match self.0 {
                $pattern => $visit(visitor),
                _ => Err(WireError::Reason(Reason::Type(Expected::$expected))),
            }
        }
    )*};
}

impl Strict {
    fn integer(self) -> Result<i64, WireError> {
        // A whole number beyond 64 bits is an integer out of every range, not another type.
        let beyond = |number: f64| {
            let end = if number < 0.0 { i64::MIN } else { i64::MAX };
            (number.fract() == 0.0 && number.abs() >= 9e18).then_some(end)
        };
        let number = match &self.0 {
            Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(beyond)),
            _ => None,
        };
        number.ok_or(WireError::Reason(Reason::Type(Expected::Integer)))
    }
}

impl<'de> Deserializer<'de> for Strict {
    type Error = WireError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(flag) => visitor.visit_bool(flag),
            Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(number), ..) => visitor.visit_i64(number),
                (None, Some(number), _) => visitor.visit_u64(number),
                (None, None, number) => visitor.visit_f64(number.unwrap_or_default()),
            },
            Value::String(text) => visitor.visit_string(text),
            Value::Array(items) => visitor.visit_seq(Items(items.into_iter())),
            Value::Object(members) => visitor.visit_map(Members { rest: members.into_iter(), current: None }),
        }
    }

    typed! {
        deserialize_bool, Boolean, Value::Bool(flag) => |v: V| v.visit_bool(flag);
        deserialize_str, String, Value::String(text) => |v: V| v.visit_string(text);
        deserialize_string, String, Value::String(text) => |v: V| v.visit_string(text);
        deserialize_seq, Array, Value::Array(items) => |v: V| v.visit_seq(Items(items.into_iter()));
        deserialize_map, Object, Value::Object(members) =>
            |v: V| v.visit_map(Members { rest: members.into_iter(), current: None });
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, WireError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        visitor.visit_i64(self.integer()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, WireError> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            value => visitor.visit_some(Self(value)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, WireError> {
        visitor.visit_newtype_struct(self)
    }

    // Wire structs have strings, 64-bit integers, booleans, lists and objects.
    serde::forward_to_deserialize_any! {
        i8 i16 i32 u8 u16 u32 u64 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct enum
        identifier ignored_any
    }
}

struct Items(std::vec::IntoIter<Value>);

impl<'de> SeqAccess<'de> for Items {
    type Error = WireError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, WireError> {
        // The lists of wire structs are of strings.
        let item = self.0.next().map(|item| seed.deserialize(Strict(item)));
        item.transpose().map_err(|error| match error {
            WireError::Reason(Reason::Type(_)) => WireError::Reason(Reason::Items),
            error => error,
        })
    }
}

struct Members {
    rest: serde_json::map::IntoIter,
    current: Option<(String, Value)>,
}

impl<'de> MapAccess<'de> for Members {
    type Error = WireError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, WireError> {
        let Some((name, value)) = self.rest.next() else { return Ok(None) };
        let key: StringDeserializer<WireError> = name.clone().into_deserializer();
        self.current = Some((name, value));
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, WireError> {
        let (name, value) = self.current.take().unwrap_or_default();
        seed.deserialize(Strict(value)).map_err(|error| match error {
            WireError::Reason(reason) => WireError::Field(Invalid { field: name, reason }),
            WireError::Field(inner) if matches!(inner.reason, Reason::Unknown | Reason::Missing) => {
                WireError::Field(Invalid { field: format!("{name}.{}", inner.field), ..inner })
            }
            field => field,
        })
    }
}
