// What ROOT logs as an error while it reads or writes, kept for the one who has to judge the result.
#ifndef BENCH_ROOT_ERRORS_HPP
#define BENCH_ROOT_ERRORS_HPP

#include <TError.h>

#include <cstring>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace bench::root_errors {

struct State {
   std::mutex fMutex;
   int fWatchers = 0;
   std::vector<std::string> fMessages;
};

inline State &TheState()
{
   static State state;
   return state;
}

// Where messages about broken input and output come from. Others (a class without a dictionary) spoil no number.
inline bool IsInputOutput(const char *location)
{
   static const char *const kLocations[] = {
      "TBasket::",        "TBranch::GetBasket",   "TBranchElement::GetBasket", "TBranch::WriteBasket",
      "TBranch::Fill",    "TBranchElement::Fill", "TFile::",                   "TNetXNGFile::",
      "TKey::",           "TTree::Fill",          "TTree::GetEntry",           "TTree::LoadTree",
      "TChain::LoadTree", "TTreeCache::",         "TFileCacheRead::",          "TFileCacheWrite::",
      "TBufferFile::",    "TTreeReader",          "TDirectoryFile::",          "SysError",
      "TBasicTypeArrayReader", "TDynamicArrayReader", "TObjectArrayReader",    "TBasicTypeClonesReader"};
   for (auto *known : kLocations)
      if (std::strncmp(location, known, std::strlen(known)) == 0)
         return true;
   return false;
}

inline void Handle(int level, bool abort, const char *location, const char *message)
{
   if (level < gErrorIgnoreLevel)
      return;
   const char *place = location ? location : "";
   if (level < kFatal && IsInputOutput(place)) {
      auto &state = TheState();
      std::lock_guard<std::mutex> lock(state.fMutex);
      if (state.fWatchers > 0) {
         // One broken basket is complained about for every entry.
         if (state.fMessages.size() < 20)
            state.fMessages.push_back(std::string(place) + ": " + (message ? message : ""));
         return;
      }
   }
   DefaultErrorHandler(level, abort, location, message);
}

inline void Install()
{
   SetErrorHandler(Handle);
}

inline void Watch(int more)
{
   auto &state = TheState();
   std::lock_guard<std::mutex> lock(state.fMutex);
   state.fWatchers += more;
}

inline std::vector<std::string> Take()
{
   auto &state = TheState();
   std::lock_guard<std::mutex> lock(state.fMutex);
   return std::exchange(state.fMessages, {});
}

} // namespace bench::root_errors
#endif
