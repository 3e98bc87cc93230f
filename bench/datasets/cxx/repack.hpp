// Copying a TTree into clusters of a given size, and comparing two trees byte by byte.
#ifndef BENCH_REPACK_HPP
#define BENCH_REPACK_HPP

#pragma cling optimize(2)

#include <TBasket.h>
#include <TBranchElement.h>
#include <TBuffer.h>
#include <TClass.h>
#include <TMD5.h>
#include <TTree.h>
#include <TVirtualCollectionProxy.h>
#include <TVirtualStreamerInfo.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

namespace bench::repack {

// Copies `source` into the current directory, with a branch that numbers its entries from 0 and one that says which file
// they are of. A copy of a copy keeps those of the first.
inline Long64_t Copy(TTree &source, Long64_t entriesPerCluster, const char *entryColumn, const char *fileColumn,
                     ULong64_t file)
{
   std::unique_ptr<TTree> copy(source.CloneTree(0));
   ULong64_t entry = 0;
   if (!copy->GetBranch(entryColumn))
      copy->Branch(entryColumn, &entry, (std::string(entryColumn) + "/l").c_str());
   if (!copy->GetBranch(fileColumn))
      copy->Branch(fileColumn, &file, (std::string(fileColumn) + "/l").c_str());
   copy->SetAutoFlush(entriesPerCluster);
   const Long64_t n = source.GetEntries();
   for (; static_cast<Long64_t>(entry) < n; ++entry) {
      if (source.GetEntry(entry) <= 0)
         throw std::runtime_error("entry " + std::to_string(entry) + " cannot be read");
      copy->Fill();
   }
   copy->Write();
   return copy->GetEntries();
}

// An object that is not split begins with a byte count and the version of the streamer that wrote it: not content, and
// ROOT's collections have other versions in other releases.
inline int HeaderBytes(const UChar_t *data, std::int64_t length)
{
   if (length < 6)
      return 0;
   const std::int64_t count = (std::int64_t(data[0]) << 24) | (data[1] << 16) | (data[2] << 8) | data[3];
   return count == (0x40000000 | (length - 4)) ? 6 : 0;
}

// Whether a branch holds a collection of a class without members: all it says is how many there are (the four bytes
// behind the header), and after these come the class's versions in a form that depends on the writer.
inline bool IsMemberless(TBranch &branch)
{
   auto *element = dynamic_cast<TBranchElement *>(&branch);
   TClass *type = element && branch.GetListOfBranches()->IsEmpty() ? TClass::GetClass(element->GetClassName()) : nullptr;
   auto *proxy = type ? type->GetCollectionProxy() : nullptr;
   TClass *value = proxy ? proxy->GetValueClass() : nullptr;
   auto *info = value ? value->GetStreamerInfo() : nullptr;
   return info && info->GetElements()->IsEmpty();
}

// A digest of the bytes of every entry of every branch, whatever the baskets and clusters they were written in.
inline std::map<std::string, std::string> Digests(TTree &tree)
{
   std::map<std::string, std::string> digests;
   std::function<void(TBranch &)> visit = [&](TBranch &branch) {
      auto *children = branch.GetListOfBranches();
      for (int i = 0; i < children->GetEntriesFast(); ++i)
         visit(*static_cast<TBranch *>(children->UncheckedAt(i)));
      const bool memberless = IsMemberless(branch);
      TMD5 md5;
      Long64_t entries = 0;
      for (int b = 0; b <= branch.GetWriteBasket(); ++b) {
         TBasket *basket = branch.GetBasket(b);
         if (!basket)
            continue;
         const int n = basket->GetNevBuf();
         int *offsets = basket->GetEntryOffset();
         const char *buffer = basket->GetBufferRef()->Buffer();
         for (int e = 0; e < n; ++e) {
            const int begin = offsets ? offsets[e] : basket->GetKeylen() + e * basket->GetNevBufSize();
            const int end = offsets ? (e + 1 < n ? offsets[e + 1] : basket->GetLast())
                                    : begin + basket->GetNevBufSize();
            const auto *data = reinterpret_cast<const UChar_t *>(buffer + begin);
            const int header = HeaderBytes(data, end - begin);
            const std::int64_t length = memberless ? header + 4 : end - begin;
            md5.Update(reinterpret_cast<const UChar_t *>(&length), sizeof length);
            md5.Update(data + header, length - header);
         }
         entries += n;
      }
      md5.Final();
      // Branches of one leaf each may share a name in different collections: the full name does not repeat.
      digests[branch.GetFullName().Data()] = std::to_string(entries) + ":" + md5.AsString();
      branch.DropBaskets("all");
   };
   for (int i = 0; i < tree.GetListOfBranches()->GetEntriesFast(); ++i)
      visit(*static_cast<TBranch *>(tree.GetListOfBranches()->UncheckedAt(i)));
   return digests;
}

} // namespace bench::repack
#endif
