# Each target does its own set-up. Needs: Node 20 or newer with npm, Go 1.26 or newer (for a control plane to test against), Python 3 with pip (for SGLang's parser).
.PHONY: test demo install controlplane clean

test: install controlplane
	npm run check

# CONTEXT=name uses the cluster of that kubeconfig context, after asking.
demo: install controlplane
	npm run -s demo -- $(if $(CONTEXT),--context $(CONTEXT))

# The binaries of a control plane, built once from pinned Go modules and kept in the user's cache folder.
controlplane: install
	npm run -s controlplane

install: node_modules/.package-lock.json

node_modules/.package-lock.json: package-lock.json
	npm ci --no-fund --no-audit
	@touch $@

clean:
	rm -rf node_modules dist
