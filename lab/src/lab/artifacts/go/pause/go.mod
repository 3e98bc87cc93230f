module facility/artifacts/pause

go 1.26
