// Weights of the 4-body stop analysis.
#ifndef BENCH_STOP4BODY_HPP
#define BENCH_STOP4BODY_HPP

#include <stdexcept>
#include <string>

namespace bench::stop4body {

// Integrated luminosity in fb-1 of the data that a campaign of simulation stands for, by its run number: mc16a for 2015
// and 2016, mc16d for 2017, mc16e for 2018; 138.97 fb-1 together (INFN Napoli's notebook, September 2024).
inline double Luminosity(unsigned int runNumber)
{
   switch (runNumber) {
   case 284500: return 36.21;
   case 300000: return 44.31;
   case 310000: return 58.45;
   default: throw std::runtime_error("RunNumber " + std::to_string(runNumber) + " is of no known campaign");
   }
}

} // namespace bench::stop4body
#endif
