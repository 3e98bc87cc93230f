// Counting what is not finite in one column. A leaf gives values and arrays as doubles, whatever their type.
#ifndef BENCH_FINITE_HPP
#define BENCH_FINITE_HPP
#include <TBranch.h>
#include <TLeaf.h>

#include <cmath>

namespace bench::finite {

struct Counted { Long64_t values = 0, bad = 0, first = -1; };

inline Counted Count(TLeaf &leaf)
{
   Counted counted;
   TBranch &branch = *leaf.GetBranch();
   const Long64_t entries = branch.GetEntries();
   for (Long64_t entry = 0; entry < entries; ++entry) {
      if (auto *size = leaf.GetLeafCount())
         size->GetBranch()->GetEntry(entry);
      branch.GetEntry(entry);
      for (int i = 0; i < leaf.GetLen(); ++i) {
         ++counted.values;
         if (!std::isfinite(leaf.GetValue(i))) {
            if (!counted.bad++)
               counted.first = entry;
         }
      }
   }
   return counted;
}
} // namespace bench::finite
#endif
