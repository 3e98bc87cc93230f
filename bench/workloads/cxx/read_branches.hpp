// Reading and nothing else: what input costs without an analysis.
#ifndef BENCH_READ_BRANCHES_HPP
#define BENCH_READ_BRANCHES_HPP

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "TFile.h"
#include "TObjArray.h"
#include "TTree.h"

namespace bench::read_branches {

// Names of the branches at the top of a tree, in its order.
inline std::vector<std::string> Names(const std::string &file, const std::string &tree)
{
   std::unique_ptr<TFile> input{TFile::Open(file.c_str())};
   auto *events = input && !input->IsZombie() ? input->Get<TTree>(tree.c_str()) : nullptr;
   if (!events)
      throw std::runtime_error(file + " has no readable tree " + tree);
   std::vector<std::string> names;
   for (const auto *each : *events->GetListOfBranches())
      names.emplace_back(each->GetName());
   return names;
}

// Read some branches of the entries from `first` up to, and not including, `last`; gives the uncompressed bytes.
inline long long Read(const std::string &file, const std::string &tree, const std::vector<std::string> &branches,
                      long long first, long long last)
{
   std::unique_ptr<TFile> input{TFile::Open(file.c_str())};
   auto *events = input && !input->IsZombie() ? input->Get<TTree>(tree.c_str()) : nullptr;
   if (!events)
      throw std::runtime_error(file + " has no readable tree " + tree);
   // By the branch itself: a status that is set by name takes some characters for wildcards.
   std::vector<TBranch *> wanted;
   for (const auto &name : branches) {
      auto *found = static_cast<TBranch *>(events->GetListOfBranches()->FindObject(name.c_str()));
      if (!found)
         throw std::runtime_error(file + " has no branch " + name + " in its tree " + tree);
      wanted.push_back(found);
   }
   long long bytes = 0;
   for (auto entry = first; entry < last; ++entry) {
      events->LoadTree(entry);
      for (auto *branch : wanted) {
         const auto got = branch->GetEntry(entry);
         if (got < 0)
            throw std::runtime_error(file + ", branch " + branch->GetName() + ", entry " + std::to_string(entry) +
                                     " cannot be read");
         bytes += got;
      }
   }
   return bytes;
}

} // namespace bench::read_branches
#endif
