NAME="rpm"; TITLE="RPM repository"
def usual_seconds(): return 60.
def current(store): return [1][:0]
def make(store, show, run): return []
def missing_in_guest(folder): return ""
