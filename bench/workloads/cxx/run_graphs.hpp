// ROOT's RunGraphs under a name of its own, which Python can be told to call without its lock.
#ifndef BENCH_RUN_GRAPHS_HPP
#define BENCH_RUN_GRAPHS_HPP

#include <ROOT/RDFHelpers.hxx>

#include <vector>

namespace bench {

inline void RunGraphs(std::vector<ROOT::RDF::RResultHandle> handles)
{
   ROOT::RDF::RunGraphs(std::move(handles));
}

} // namespace bench
#endif
