// Questions to an XRootD server that ROOT's own classes do not ask.
#ifndef BENCH_REMOTE_HPP
#define BENCH_REMOTE_HPP

// The interpreter's table of headers is of an older C library, whose <sys/cdefs.h> has not got this macro; the
// system's <sys/uio.h>, which XRootD includes, uses it.
#ifndef __attr_access
#define __attr_access(x)
#endif

#include <XrdCl/XrdClFileSystem.hh>

#include <cstdint>
#include <memory>
#include <string>

namespace bench::remote {

struct Answer {
   std::string fProblem; // empty: all is well
   std::uint64_t fSize = 0;
   std::uint64_t fModified = 0;
   std::string fChecksum; // "<algorithm> <value>", empty where the server gives none
};

inline std::string Problem(const XrdCl::XRootDStatus &status)
{
   std::string text = status.ToStr();
   while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
      text.pop_back();
   return text;
}

inline Answer Look(const char *address)
{
   Answer answer;
   const XrdCl::URL url{std::string(address)};
   if (!url.IsValid()) {
      answer.fProblem = "this is no address of an XRootD server (root://host[:port]//path)";
      return answer;
   }
   XrdCl::FileSystem server(url);
   XrdCl::StatInfo *info = nullptr;
   auto status = server.Stat(url.GetPathWithParams(), info);
   std::unique_ptr<XrdCl::StatInfo> owned(info);
   if (!status.IsOK()) {
      answer.fProblem = Problem(status);
      return answer;
   }
   if (info->TestFlags(XrdCl::StatInfo::IsDir)) {
      answer.fProblem = "it is a folder";
      return answer;
   }
   answer.fSize = info->GetSize();
   answer.fModified = info->GetModTime();
   XrdCl::Buffer question, *said = nullptr;
   question.FromString(url.GetPathWithParams());
   status = server.Query(XrdCl::QueryCode::Checksum, question, said);
   std::unique_ptr<XrdCl::Buffer> ownedToo(said);
   if (status.IsOK() && said)
      answer.fChecksum = std::string(said->ToString().c_str());
   return answer;
}

} // namespace bench::remote
#endif
