// Columns of an RDataFrame whatever their integer or floating point type, and checksums over the content of rows.
// Typed throughout: nothing is compiled when the graph runs.
#ifndef BENCH_SLIMMING_COLUMNS_HPP
#define BENCH_SLIMMING_COLUMNS_HPP

#include <ROOT/RDF/InterfaceUtils.hxx>
#include <ROOT/RDataFrame.hxx>
#include <ROOT/RVec.hxx>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace bench::slimming {

using Node = ROOT::RDF::RNode;
using Floats = ROOT::VecOps::RVec<float>;
using Ints = ROOT::VecOps::RVec<int>;
using Bytes = ROOT::VecOps::RVec<char>;

template <typename To, typename From>
Node DefineAs(Node node, const std::string &name, const std::string &column)
{
   return node.Define(name, [](const From &value) { return static_cast<To>(value); }, {column});
}

template <typename To, typename From>
Node DefineVectorAs(Node node, const std::string &name, const std::string &column)
{
   using ROOT::VecOps::RVec;
   return node.Define(name, [](const RVec<From> &values) { return RVec<To>(values.begin(), values.end()); }, {column});
}

// "RVec<float>" of "ROOT::VecOps::RVec<float>" or "vector<float>"; the type itself where it is no vector.
inline std::string ElementType(const std::string &type)
{
   const auto open = type.find('<'), close = type.rfind('>');
   return open == std::string::npos ? type : type.substr(open + 1, close - open - 1);
}

inline bool IsVector(const std::string &type)
{
   return type.find("RVec<") != std::string::npos || type.find("vector<") == 0 || type.find("std::vector<") == 0;
}

inline std::runtime_error WrongType(const std::string &column, const std::string &type, const std::string &wanted)
{
   return std::runtime_error("column " + column + " is of type " + type + ", not " + wanted);
}

// Call `make` with a value of the type that `element` names; false where it names none of them.
template <typename Make>
bool WithFloating(const std::string &element, Make make)
{
   const auto is = [&](auto... names) { return ((element == names) || ...); };
   if (is("float", "Float_t"))
      make(float());
   else if (is("double", "Double_t"))
      make(double());
   else
      return false;
   return true;
}

template <typename Make>
bool WithInteger(const std::string &element, Make make)
{
   const auto is = [&](auto... names) { return ((element == names) || ...); };
   if (is("char", "Char_t"))
      make(char());
   else if (is("signed char", "int8_t", "Int8_t"))
      make(static_cast<signed char>(0));
   else if (is("unsigned char", "UChar_t", "uint8_t"))
      make(static_cast<unsigned char>(0));
   else if (is("bool", "Bool_t"))
      make(bool());
   else if (is("short", "Short_t", "int16_t"))
      make(short());
   else if (is("unsigned short", "UShort_t", "uint16_t"))
      make(static_cast<unsigned short>(0));
   else if (is("int", "Int_t", "int32_t"))
      make(int());
   else if (is("unsigned int", "UInt_t", "uint32_t", "unsigned"))
      make(0u);
   else
      return false;
   return true;
}

template <typename Make>
bool WithLongInteger(const std::string &element, Make make)
{
   const auto is = [&](auto... names) { return ((element == names) || ...); };
   if (is("unsigned long", "ULong_t", "uint64_t"))
      make(0ul);
   else if (is("ULong64_t", "unsigned long long"))
      make(ULong64_t());
   else
      return WithInteger(element, make);
   return true;
}

// A column of numbers of any type under a new name: `kind` is float, id (unsigned, 64 bits), float[] or int[].
inline Node Converted(Node node, const std::string &name, const std::string &column, const std::string &kind)
{
   const std::string type = node.GetColumnType(column), element = ElementType(type);
   bool made = false;
   if (IsVector(type) && kind == "float[]")
      made = WithFloating(element, [&](auto from) { node = DefineVectorAs<float, decltype(from)>(node, name, column); });
   else if (IsVector(type) && kind == "int[]")
      made = WithInteger(element, [&](auto from) { node = DefineVectorAs<int, decltype(from)>(node, name, column); });
   else if (!IsVector(type) && kind == "float")
      made = WithFloating(element, [&](auto from) { node = DefineAs<float, decltype(from)>(node, name, column); });
   else if (!IsVector(type) && kind == "id")
      made =
         WithLongInteger(element, [&](auto from) { node = DefineAs<ULong64_t, decltype(from)>(node, name, column); });
   if (!made)
      throw WrongType(column, type, kind);
   return node;
}

// splitmix64's mixing of a word into a hash.
inline std::uint64_t Mixed(std::uint64_t hash, std::uint64_t word)
{
   std::uint64_t z = (hash ^ word) + 0x9E3779B97F4A7C15ull;
   z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
   z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
   return z ^ (z >> 31);
}

template <typename T>
std::uint64_t Word(T value)
{
   std::uint64_t word = 0;
   std::memcpy(&word, &value, sizeof value);
   return word;
}

// The bits of a value; of a vector also its length.
template <typename T>
std::uint64_t Hashed(std::uint64_t hash, const T &value)
{
   if constexpr (std::is_arithmetic_v<T>) {
      return Mixed(hash, Word(value));
   } else {
      hash = Mixed(hash, value.size());
      for (const auto each : value)
         hash = Mixed(hash, Word(each));
      return hash;
   }
}

template <typename T>
Node WithHash(Node node, const std::string &name, const std::string &before, const std::string &column)
{
   return node.Define(name, [](ULong64_t hash, const T &value) { return ULong64_t(Hashed(hash, value)); },
                      {before, column});
}

// A node with a column that is a checksum over the given columns of the row, in the order of their names.
inline Node WithRowHash(Node node, std::vector<std::string> columns, std::string &last)
{
   std::sort(columns.begin(), columns.end());
   last = "bench_hash";
   node = node.Define(last, [] { return ULong64_t(0); });
   for (const auto &column : columns) {
      const std::string type = node.GetColumnType(column), element = ElementType(type), name = "bench_hash_" + column;
      if (IsVector(type) && (element == "float" || element == "Float_t"))
         node = WithHash<Floats>(node, name, last, column);
      else if (IsVector(type) && (element == "int" || element == "Int_t"))
         node = WithHash<Ints>(node, name, last, column);
      else if (IsVector(type) && (element == "char" || element == "Char_t"))
         node = WithHash<Bytes>(node, name, last, column);
      else if (element == "float" || element == "Float_t")
         node = WithHash<float>(node, name, last, column);
      else if (element == "char" || element == "Char_t")
         node = WithHash<char>(node, name, last, column);
      else if (element == "ULong64_t" || element == "unsigned long long")
         node = WithHash<ULong64_t>(node, name, last, column);
      else
         throw WrongType(column, type, "one that is written");
      last = name;
   }
   return node;
}

// Sums of the two halves of the rows' checksums: the same for the same rows in any order, and small enough for JSON.
struct Content {
   std::uint64_t entries = 0, low = 0, high = 0;
};

struct ContentResult {
   ROOT::RDF::RResultPtr<ULong64_t> entries, low, high;
   Content Get() { return {*entries, *low, *high}; }
};

inline ContentResult BookContent(Node node, const std::vector<std::string> &columns)
{
   std::string hash;
   node = WithRowHash(node, columns, hash)
             .Define("bench_low", [](ULong64_t h) { return h & 0xFFFFFFFFull; }, {hash})
             .Define("bench_high", [](ULong64_t h) { return h >> 32; }, {hash});
   return {node.Count(), node.Sum<ULong64_t>("bench_low"), node.Sum<ULong64_t>("bench_high")};
}

} // namespace bench::slimming
#endif
