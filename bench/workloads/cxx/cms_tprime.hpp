// What an event of the T' -> tZ(nunu) analysis looks like in one variation of the jet energies.
#ifndef BENCH_CMS_TPRIME_HPP
#define BENCH_CMS_TPRIME_HPP

// Interpreted code is compiled without optimisation unless it asks for it.
#pragma cling optimize(2)

#include <ROOT/RVec.hxx>

#include <cmath>
#include <cstddef>

namespace bench::cms_tprime {

// Candidates of one kind, above the loose working point and without common jets, by falling score.
struct Candidates {
   const ROOT::RVecF &pt, &phi, &mass, &score;
   const ROOT::RVec<bool> &tight;

   std::size_t CountTight() const
   {
      std::size_t n = 0;
      for (const bool each : tight)
         n += each;
      return n;
   }
};

enum Category { kResolved = 1, kMixed = 2, kMerged = 3, kLoose = 3, kNone = 7 };

// Kind of the top quark of an event that has so many candidates of each kind.
inline int KindOf(std::size_t resolved, std::size_t mixed, std::size_t merged)
{
   if (merged == 1 && mixed <= 1 && (resolved == 0 || (resolved == 1 && mixed == 1)))
      return kMerged;
   if (merged == 0 && mixed == 1 && resolved <= 1)
      return kMixed;
   if (merged == 0 && mixed == 0 && resolved == 1)
      return kResolved;
   return kNone;
}

// category: 1 to 3 tight resolved, mixed, merged; 4 to 6 the same where no candidate is tight; 7 no top quark.
struct View {
   bool preselected = false;
   float met = 0, min_dphi = 0;
   int n_forward = 0, n_loose_b = 0, n_veto_leptons = 0;
   int category = kNone;
   float top_pt = 0, top_mass = 0, top_score = 0, mt = 0;
};

inline View Look(bool preselected, float met, float met_phi, float min_dphi, int n_forward, int n_loose_b,
                 int n_veto_leptons, const Candidates &resolved, const Candidates &mixed, const Candidates &merged)
{
   View view{preselected, met, min_dphi, n_forward, n_loose_b, n_veto_leptons};
   const std::size_t n_tight[] = {resolved.CountTight(), mixed.CountTight(), merged.CountTight()};
   const bool loose = n_tight[0] + n_tight[1] + n_tight[2] == 0;
   const int kind = loose ? KindOf(resolved.pt.size(), mixed.pt.size(), merged.pt.size())
                          : KindOf(n_tight[0], n_tight[1], n_tight[2]);
   if (kind == kNone)
      return view;
   view.category = loose ? kind + kLoose : kind;
   // The first is the best one, and tight if any is.
   const Candidates &of_kind = kind == kResolved ? resolved : kind == kMixed ? mixed : merged;
   view.top_pt = of_kind.pt[0];
   view.top_mass = of_kind.mass[0];
   view.top_score = of_kind.score[0];
   view.mt = std::sqrt(2 * view.top_pt * met * (1 - std::cos(of_kind.phi[0] - met_phi)));
   return view;
}

} // namespace bench::cms_tprime

#endif
