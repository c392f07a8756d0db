module rich-pouch.test/cluster/forward

go 1.26.0
