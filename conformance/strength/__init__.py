"""How strong the suite is: mutants of the schemas, and a second engine."""
